create or replace function imago.capture_update(write imago.plan_write)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  body text := '';
  variables constant text[] := array['imago_batch', 'imago_kind'];
begin
  if write.columns <> '{}' then
    body := imago.trigger_query(
      'insert into imago_undo.%3$I (batch, entity, op, %4$s, %5$s, %6$s)
       select %1$s, n.%7$I, %2$s, %8$s, %9$s, %10$s
       from old_rows o join new_rows n on %11$s where %12$s', variables, '',
      write.undo_table,
      imago.each_column('key_%1$s', write.relation, write.key_columns),
      imago.each_column('before_%1$s', write.relation, write.columns),
      imago.each_column('after_%1$s', write.relation, write.columns),
      write.entity_column,
      imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.each_column('o.%2$I::%4$s', write.relation, write.columns),
      imago.each_column('n.%2$I::%4$s', write.relation, write.columns),
      imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
      imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', write.relation, write.columns, ' or '));
  end if;
  if write.inserts then
    -- A later write of ours, or of a trigger within our batch, is not somebody's edit: the fingerprint moves along. That of a row
    -- which somebody edited before stays and says so.
    body := body || imago.trigger_query(
      'update imago_undo.%3$I j set print = %4$s from old_rows o join new_rows n on %8$s
       where j.entity = n.%5$I and j.op = ''i'' and %6$s and (j.batch = %1$s or j.print is not distinct from %7$s)', variables, '',
      write.undo_table, imago.fingerprint('n', write.inserted_columns), write.entity_column,
      imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
      imago.fingerprint('o', write.inserted_columns),
      imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '));
  end if;
  return format('%s if current_setting(''imago.dry'', true) = ''on'' then %s end if;', body, imago.undeclared_probe(write));
end
$$;
comment on function imago.capture_update(imago.plan_write) is 'PL/pgSQL of a capture function: journals the declared columns of the rows that a statement has updated. The fingerprints of inserted rows move along.';
