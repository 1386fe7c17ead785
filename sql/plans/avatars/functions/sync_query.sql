create or replace function avatars.sync_query(relation text, owner_column text)
returns text
language plpgsql
stable
strict
set search_path = ''
as $$
declare
  key text[] := imago.primary_key(relation);
begin
  return format(
    'update %1$s t set avatar_id = u.active_avatar_id
     from new_rows n join public.users u on u.id = n.%2$I
     where %3$s and t.avatar_id is distinct from u.active_avatar_id
       and (t.avatar_id is null
            or exists (select from old_rows o where %4$s)
               and not exists (select from public.avatars a where a.id = t.avatar_id and a.owner_user_id = u.id))',
    relation, owner_column,
    (select string_agg(format('t.%1$I = n.%1$I', k), ' and ') from unnest(key) k),
    (select string_agg(format('o.%1$I = n.%1$I', k), ' and ') from unnest(key) k));
end
$$;
comment on function avatars.sync_query(text, text) is 'SQL of a sync: rows that the app has just written get the active avatar of their user, if they have one. Rows that have changed hands get that of the new user. Rows with an avatar of theirs keep it. Null where there is no such column.';
