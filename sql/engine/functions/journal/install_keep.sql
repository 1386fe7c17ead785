create or replace function imago.install_keep(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  batches text;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  -- An underscore stands for any letter: another plan's name may differ in no more than that.
  batches := replace(write.plan, '_', '\_');
  perform imago.build_note(write);
  perform imago.build_keep(write);
  execute format(
    'create or replace trigger %I before update on %s for each row
       when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
    imago.trigger_name(write.plan, 'note'), write.relation, batches || ':%:side', write.undo_table || '_note');
  execute format(
    'create or replace trigger %I before update on %s for each row
       when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
    imago.trigger_name(write.plan, 'keep'), write.relation,
    -- On the way there it has nothing to do where there is no updated_at-like column.
    batches || case when imago.kept_assignments(write) is null then ':%:%' else ':%' end,
    write.undo_table || '_keep');
  if write.deletes then
    perform imago.build_return(write);
    execute format(
      'create or replace trigger %I before insert on %s for each row
         when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
      imago.trigger_name(write.plan, 'give'), write.relation, batches || ':%:back', write.undo_table || '_give');
    execute format(
      'create or replace trigger %I before insert on %s for each row
         when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
      imago.trigger_name(write.plan, 'same'), write.relation, batches || ':%:back', write.undo_table || '_same');
  end if;
  update imago.plan_write w set kept_at = clock_timestamp() where w.id = write_id;
end
$$;
comment on function imago.install_keep(integer) is 'Installs the note and keep triggers of one declared write, and those that see to rows which come back. Only where triggers of the app fire: a row trigger has each row locked once more before it is updated.';
