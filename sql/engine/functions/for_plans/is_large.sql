create or replace function imago.is_large(relation text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce(imago.relation_bytes(relation), 0) >= imago.setting_number('direct_mb') * 1024 * 1024::bigint
$$;
comment on function imago.is_large(text) is 'For plans: whether a table has direct_mb megabytes or more: too large to be read as a whole within a call.

Example: select imago.is_large(''public.users'')';
