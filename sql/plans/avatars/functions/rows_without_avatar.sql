create or replace function avatars.rows_without_avatar(relation text, owner_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select t.%1$I as key, t.%2$I as entity from %3$s t join public.users u on u.id = t.%2$I
     where t.avatar_id is null and u.active_avatar_id is not null',
    (imago.primary_key(relation))[1], owner_column, relation)
$$;
comment on function avatars.rows_without_avatar(text, text) is 'SQL: rows that have no avatar although their user has an active one.';
