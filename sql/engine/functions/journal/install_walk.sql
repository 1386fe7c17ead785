create or replace function imago.install_walk(plan_name text, stage integer, relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  written pg_catalog.regclass;
begin
  perform imago.build_walk(plan_name, stage, relation);
  for written in select w from imago.written_tables(relation) w loop
    execute format(
      'create or replace trigger %I after update on %s referencing old table as old_rows new table as new_rows for each statement
         execute function imago_undo.%I()', imago.trigger_name(plan_name, 'walk'), written, imago.walk_function(plan_name, stage));
  end loop;
end
$$;
comment on function imago.install_walk(text, integer, text) is 'Installs the trigger by which the journal follows keys of a table that a plan walks and does not write.';
