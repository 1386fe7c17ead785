create or replace function imago.build_lock(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  key_type constant text := imago.kept_type(imago.plan_at_stage(imago.find_plan(write.plan), write.stage));
begin
  -- By key, each of them, as in restore_rows.
  execute format(
    'create or replace function imago_undo.%I(imago_keys anyarray)
     returns imago.way_back
     language plpgsql
     volatile
     set search_path = ''''
     set enable_hashjoin = off
     set enable_mergejoin = off
     %s
     as %L',
    write.undo_table || '_lock', imago.fixed_formats(), format(
      '#variable_conflict use_variable
       declare
         imago_done imago.way_back;
       begin
         select count(*), coalesce(bool_or(l.edited), false) into imago_done.rows, imago_done.altered from (
           select %1$s is distinct from %2$s as edited
           from imago_undo.%3$I j join %4$s t on %5$s
           where j.entity = any ((select imago_keys::%6$s[])::%6$s[]) and j.op = ''i''
           order by %7$s for update of t) l;
         return imago_done;
       end',
      imago.journaled_print(write, 'j'), imago.fingerprint('t', write.inserted_columns),
      write.undo_table, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), key_type,
      imago.each_column('t.%2$I', write.relation, write.key_columns)));
  execute format('comment on function imago_undo.%I(anyarray) is %L', write.undo_table || '_lock',
    format('Locks what a rollback of plan %s removes from %s, and says whether it was edited.', write.plan, write.relation));
  execute format('revoke all on function imago_undo.%I(anyarray) from public', write.undo_table || '_lock');
end
$$;
comment on function imago.build_lock(imago.plan_write) is 'Generates the function that locks inserted rows for a rollback.';
