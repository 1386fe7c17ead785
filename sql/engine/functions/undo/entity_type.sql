create or replace function imago.entity_type(undo_table text)
returns text
language sql
stable
set search_path = ''
as $$
  select pg_catalog.format_type(a.atttypid, a.atttypmod)
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('imago_undo.' || quote_ident(undo_table)) and a.attname = 'entity'
$$;
comment on function imago.entity_type(text) is 'Type of the entities that an undo table names; null where there is no such table.';
