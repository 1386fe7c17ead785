create or replace function avatars.is_wrong(alias text, owner_column text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    '%1$s.avatar_id is not null and not exists (
       select from public.avatars a where a.id = %1$s.avatar_id and a.owner_user_id = %1$s.%2$I)',
    alias, owner_column)
$$;
comment on function avatars.is_wrong(text, text) is 'SQL: whether the avatar of a row is missing, or another user''s.';
