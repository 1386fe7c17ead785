create or replace function imago.capture_insert(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'insert into imago_undo.%I (batch, entity, op, %s, print)
     select imago_batch, n.%I, ''i'', %s, %s from new_rows n;',
    write.undo_table,
    imago.each_column('key_%1$s', write.relation, write.key_columns),
    write.entity_column,
    imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
    imago.fingerprint('n', write.inserted_columns))
$$;
comment on function imago.capture_insert(imago.plan_write) is 'PL/pgSQL of a capture function: journals the rows that a statement has inserted.';
