create or replace function imago.stored_columns(relation text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select array_agg(a.attname::text order by a.attnum)
  from pg_catalog.pg_attribute a
  where a.attrelid = relation::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;
comment on function imago.stored_columns(text) is 'Columns that hold data of their own: all but generated ones.';
