create or replace function imago.build_note(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format(
    'create or replace function imago_undo.%1$I()
     returns trigger
     language plpgsql
     volatile
     set search_path = ''''
     as %2$L',
    write.undo_table || '_note',
    format('begin perform set_config(''imago.note'', array[%s]::text, true); return new; end',
      coalesce(imago.side_values(write, 'new.%4$s::text'), 'null')));
  execute format('comment on function imago_undo.%I() is %L', write.undo_table || '_note',
    format('Trigger function: notes what the last pass of a rollback of plan %s asks of a row, before triggers of the app see it.', write.plan));
  execute format('revoke all on function imago_undo.%I() from public', write.undo_table || '_note');
end
$$;
comment on function imago.build_note(imago.plan_write) is 'Generates the trigger function that notes what a rollback''s last pass sets undeclared columns to.';
