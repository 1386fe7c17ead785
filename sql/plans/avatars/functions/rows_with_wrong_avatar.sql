create or replace function avatars.rows_with_wrong_avatar(relation text, owner_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select t.%1$I as key, t.%2$I as entity from %3$s t
     where %4$s and exists (select from public.users u where u.id = t.%2$I)',
    (imago.primary_key(relation))[1], owner_column, relation, avatars.is_wrong('t', owner_column))
$$;
comment on function avatars.rows_with_wrong_avatar(text, text) is 'SQL: rows whose avatar is missing or belongs to another user than the row does.';
