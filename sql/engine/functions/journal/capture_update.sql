create or replace function imago.capture_update(write imago.plan_write)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  body text;
  variables constant text[] := array['imago_batch', 'imago_kind'];
begin
  if imago.side_columns(write) = '{}' then
    body := coalesce(imago.capture_columns(write, null), 'null;');
  else
    body := format('if imago_kind = ''n'' or imago_fires then %s else %s end if;',
      imago.capture_columns(write, imago.side_changed(write)),
      coalesce(imago.capture_columns(write, null), 'null;'));
  end if;
  body := format('%s get diagnostics imago_journaled := row_count; %s', body, imago.capture_keys(write));
  if write.inserts then
    -- A later write of ours, or of a trigger within our batch, is not somebody's edit: the fingerprint moves along. That of a row
    -- which somebody edited before stays and says so.
    body := body || imago.trigger_query(
      'update imago_undo.%3$I j set print = %4$s from old_rows o join new_rows n on %8$s
       where j.entity = %5$s and j.op = ''i'' and %6$s and (j.batch = %1$s or %9$s is not distinct from %7$s)', variables, '',
      write.undo_table, imago.fingerprint('n', write.inserted_columns), imago.owner_sql(write, 'n'),
      imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
      imago.fingerprint('o', write.inserted_columns),
      imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
      imago.journaled_print(write, 'j'));
  end if;
  return format('%s if current_setting(''imago.dry'', true) = ''on'' then %s end if;', body, imago.undeclared_probe(write));
end
$$;
comment on function imago.capture_update(imago.plan_write) is 'PL/pgSQL of a capture function: journals the declared columns of the rows that a statement has updated. The fingerprints of inserted rows move along. Where triggers of the app may have changed other columns, these are journaled, too.';
