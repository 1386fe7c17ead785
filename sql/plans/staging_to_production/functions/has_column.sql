create or replace function staging_to_production.has_column(relation text, name text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = name and a.attnum > 0 and not a.attisdropped)
$$;
comment on function staging_to_production.has_column(text, text) is 'Whether the relation is there and has this column.';
