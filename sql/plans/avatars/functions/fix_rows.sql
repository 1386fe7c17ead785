create or replace function avatars.fix_rows(relation text, owner_column text, keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update %1$s t set avatar_id = u.active_avatar_id from public.users u
     where t.%2$I = any ($1) and u.id = t.%2$I and t.avatar_id is distinct from u.active_avatar_id and %3$s',
    relation, owner_column, avatars.is_wrong('t', owner_column)) using keys;
end
$$;
comment on function avatars.fix_rows(text, text, uuid[]) is 'Rows of these users that carry an avatar which is missing or another''s get the user''s active one.';
