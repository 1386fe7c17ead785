create or replace function imago.entity_type(undo_table text)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select pg_catalog.format_type(a.atttypid, a.atttypmod)
    from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('imago_undo.' || quote_ident(undo_table)) and a.attname = 'entity');
end
$$;
comment on function imago.entity_type(text) is 'Type of the entities that an undo table names; null where there is no such table.';
