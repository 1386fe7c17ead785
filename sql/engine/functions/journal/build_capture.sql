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
  if write.deletes then
    if write.deleted_entity is not null then
      -- What does not fit the table fails here, and not in each batch.
      execute format('select (%s)::%s from %s deleted where false', write.deleted_entity, imago.entity_type(write.undo_table), write.relation);
    end if;
    perform imago.create_capture(write, 'delete', format(
      'insert into imago_undo.%I (batch, entity, op, %s, %s, width)
       select imago_batch, %s, ''d'', %s, %s, %s from old_rows deleted;
       perform set_config(%L, (coalesce(nullif(current_setting(%8$L, true), ''''), ''0'')::bigint + imago_rows)::text, true);',
      write.undo_table,
      imago.each_column('key_%1$s', write.relation, write.key_columns),
      imago.each_column('old_%1$s', write.relation, write.deleted_columns),
      case when write.deleted_entity is null then imago.owner_sql(write, 'deleted')
        else format('coalesce((%s)::%s, %L)', write.deleted_entity, imago.entity_type(write.undo_table), imago.nobody(write.undo_table)) end,
      imago.each_column('deleted.%2$I::%4$s', write.relation, write.key_columns),
      imago.each_column('deleted.%2$I::%4$s', write.relation, write.deleted_columns),
      cardinality(write.deleted_columns),
      'imago.gone_' || write.id));
  end if;
  perform imago.build_back(write);
  if write.inserts then
    perform imago.build_lock(write);
  end if;
  perform imago.create_capture(write, 'update', imago.capture_update(write), format(
    'if coalesce(current_setting(''imago.batch'', true), '''') = '''' or not imago.is_batch_open(%L) then %s end if;',
    write.plan, imago.watch_identity(write.plan, write.relation)));
end
$$;
comment on function imago.build_capture(imago.plan_write) is 'Generates the functions of one declared write, with its columns and types written out. They capture it and take it back.';
