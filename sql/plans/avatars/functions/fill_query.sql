create or replace function avatars.fill_query(owner_column text)
returns text
language sql
immutable
strict
set search_path = ''
as $$
  select format(
    'select source.active_avatar_id
     from public.users source join public.avatars a on a.id = source.active_avatar_id and a.owner_user_id = source.id
     where source.id = new.%I', owner_column)
$$;
comment on function avatars.fill_query(text) is 'SQL of a sync: the avatar of a new row, which is the active one of its user, if that is theirs. Null where there is no such column.';
