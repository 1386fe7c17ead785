create or replace function imago.walked_key(relation text, key_column text default null, out name text, out type text)
language sql
stable
set search_path = ''
as $$
  select c.name, imago.journal_type(a.atttypid, -1)
  from (select coalesce(key_column, (imago.primary_key(relation))[1]) as name) c
  join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(relation) and a.attname = c.name
$$;
comment on function imago.walked_key(text, text, out text, out text) is 'The column that a table is walked by, the first of its primary key unless another is named, and its type.';
