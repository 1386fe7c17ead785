create or replace function imago.unique_problems(relation text, name text, purpose text)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'not_unique', format('%s.%I', relation, name), 'is not unique', purpose
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(relation) and not exists (
    select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 and a.attname = name)
$$;
comment on function imago.unique_problems(text, text, text) is 'For plans: an error where no unique index holds a column of a table alone. purpose says what needs one. None where there is no such table.

Example: select * from imago.unique_problems(''public.avatars'', ''id'', ''Users refer to it.'')';
