create or replace function imago.install_capture(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  written pg_catalog.regclass;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  perform imago.build_capture(write);
  for written in select w from imago.written_tables(write.relation) w loop
    execute format(
      'create or replace trigger %I before insert or update%s on %s for each statement
         when (current_setting(''imago.batch'', true) <> '''') execute function imago.drop_forged_batch()',
      imago.trigger_name(write.plan, 'guard'), case when write.deletes then ' or delete' end, written);
    if write.inserts then
      execute format(
        'create or replace trigger %I after insert on %s referencing new table as new_rows for each statement
           when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()',
        imago.trigger_name(write.plan, 'insert'), written, write.undo_table || '_insert');
    end if;
    if write.deletes then
      execute format(
        'create or replace trigger %I after delete on %s referencing old table as old_rows for each statement
           when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()',
        imago.trigger_name(write.plan, 'delete'), written, write.undo_table || '_delete');
    end if;
    -- Without a when: foreign keys that null columns of this table when an inserted row goes are statements of their own, one for
    -- each such row, and each would prepare the condition again, which takes longer than they do.
    execute format(
      'create or replace trigger %I after update on %s referencing old table as old_rows new table as new_rows for each statement
         execute function imago_undo.%I()', imago.trigger_name(write.plan, 'update'), written, write.undo_table || '_update');
  end loop;

  if imago.needs_keep(write) then
    perform imago.install_keep(write_id);
  end if;
  update imago.plan_write w set captured_at = clock_timestamp() where w.id = write_id;
end
$$;
comment on function imago.install_capture(integer) is 'Installs the guard, capture, note and keep triggers of one declared write on its relation and the partitions of it.';
