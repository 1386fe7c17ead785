create or replace function imago.build_back(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  key_type constant text := imago.kept_type(imago.plan_at_stage(imago.find_plan(write.plan), write.stage));
  undo constant text := format('imago_undo.%I', write.undo_table);
  -- By way of a subquery, as in keys_sql.
  mine constant text := format('= any ((select imago_keys::%1$s[])::%1$s[])', key_type);
  updated constant text := format('from %s u where u.entity %s and u.op = ''u''', undo, mine)
    || case when write.inserts then format(' and not exists (select from %s i where i.entity = u.entity and i.op = ''i'' and %s)',
      undo, imago.each_column('i.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and ')) else '' end;
  body text := format('when ''size'' then select count(*) into imago_done.rows from %s j where j.entity %s;', undo, mine);
begin
  if write.inserts then
    body := body || format(
      'when ''remove'' then
         perform pg_catalog.set_config(''search_path'', imago_path, true);
         delete from %s t where (%s) in (select %s from %s j where j.entity %s and j.op = ''i'');
         get diagnostics imago_done.rows = row_count;',
      write.relation, imago.each_column('t.%2$I', write.relation, write.key_columns),
      imago.each_column('j.key_%1$s::%3$s', write.relation, write.key_columns), undo, mine);
  end if;
  if write.columns <> '{}' then
    body := body || format(
      'when ''look'' then
         select coalesce(sum(e.rows), 0), coalesce(bool_or(e.again), false) into imago_done.rows, imago_done.again
         from (select min(u.batch) < max(u.batch) as again, count(*) as rows %s group by u.entity) e;',
      updated);
    body := body || format(
      'when ''restore'' then
         perform pg_catalog.set_config(''search_path'', imago_path, true);
         %s into imago_done.rows, imago_done.altered, imago_done.moved;',
      imago.restore_sql(write, format('select %s, %s, %s %s', imago.each_column('u.key_%1$s', write.relation, write.key_columns),
        imago.each_column('u.before_%1$s', write.relation, write.columns), imago.each_column('u.after_%1$s', write.relation, write.columns), updated),
        'imago_force'));
  end if;
  body := body || format('when ''forget'' then delete from %s j where j.entity %s; get diagnostics imago_done.rows = row_count;', undo, mine);
  execute format(
    'create or replace function imago_undo.%I(imago_part text, imago_keys anyarray, imago_force boolean, imago_path text)
     returns imago.way_back
     language plpgsql
     volatile
     set search_path = ''''
     as %L',
    write.undo_table || '_back',
    format('#variable_conflict use_variable declare imago_done imago.way_back; begin case imago_part %s end case; return imago_done; end', body));
  execute format('comment on function imago_undo.%I(text, anyarray, boolean, text) is %L', write.undo_table || '_back',
    format('What a rollback of plan %s asks of %s and its journal, part by part.', write.plan, write.relation));
  execute format('revoke all on function imago_undo.%I(text, anyarray, boolean, text) from public', write.undo_table || '_back');
end
$$;
comment on function imago.build_back(imago.plan_write) is 'Generates the function by which a rollback works on one declared write. Its statements are planned once a session. Parts: size, look, restore, remove, forget.';
