create or replace function imago.walked_key(plan_check imago.plan_check, out name text, out type text)
language sql
stable
set search_path = ''
as $$
  select c.name, imago.journal_type(a.atttypid, -1)
  from (select coalesce(plan_check.key_column, (imago.primary_key(plan_check.source))[1]) as name) c
  join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(plan_check.source) and a.attname = c.name
$$;
comment on function imago.walked_key(imago.plan_check, out text, out text) is 'The column that a check walks its source by, and its type.';
