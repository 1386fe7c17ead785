create or replace function imago.build_capture(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Rows that several entities share are entities of their own.
  write.entity_column := coalesce(write.entity_column, write.key_columns[1]);
  if write.inserts then
    perform imago.create_capture(write, 'insert', format(
      'insert into imago_undo.%I (batch, entity, op, %s, print)
       select imago_batch, %s, ''i'', %s, %s from new_rows n;',
      write.undo_table,
      imago.each_column('key_%1$s', write.relation, write.key_columns),
      imago.owner_sql(write, 'n'),
      imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.fingerprint('n', write.inserted_columns)));
  end if;
  perform imago.create_capture(write, 'update', imago.capture_update(write), format(
    'if coalesce(current_setting(''imago.batch'', true), '''') = '''' or not imago.is_batch_open(%L) then %s end if;',
    write.plan, imago.watch_identity(write.plan, write.relation)));
end
$$;
comment on function imago.build_capture(imago.plan_write) is 'Generates the trigger functions of one declared write, with its columns and types written out.';
