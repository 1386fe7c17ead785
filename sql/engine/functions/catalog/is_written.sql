create or replace function imago.is_written(relation text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  tables constant oid[] := array(select w::oid from imago.written_tables(relation) w);
  before numeric;
begin
  -- Else a transaction goes on seeing what it has seen first.
  perform pg_catalog.pg_stat_clear_snapshot();
  before := imago.rows_counted(tables);
  -- A session at work reports once a second what it has written.
  perform pg_catalog.pg_sleep(1.2);
  perform pg_catalog.pg_stat_clear_snapshot();
  return imago.rows_counted(tables) <> before;
end
$$;
comment on function imago.is_written(text) is 'Whether anybody writes a table: looks for a second, and locks nothing meanwhile.';
