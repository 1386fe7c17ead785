create or replace function imago.lock_inserted(plan imago.plan, keys anyarray, out is_edited boolean, out present bigint)
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
-- By key, each of them, as in restore_rows.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  write imago.plan_write;
  locked record;
begin
  is_edited := false;
  present := 0;
  for write in select w.* from imago.stage_writes(plan) w where w.inserts loop
    execute format(
      'select coalesce(bool_or(locked.edited), false) as edited, count(*) as present from (
         select %7$s is distinct from %5$s as edited
         from imago_undo.%4$I j join %1$s t on %2$s where j.entity = any %6$s and j.op = ''i''
         order by %3$s for update of t) locked',
      write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      imago.each_column('t.%2$I', write.relation, write.key_columns),
      write.undo_table, imago.fingerprint('t', write.inserted_columns), imago.keys_sql(plan), imago.journaled_print(write, 'j'))
    into locked using keys;
    is_edited := is_edited or locked.edited;
    present := present + locked.present;
  end loop;
end
$$;
comment on function imago.lock_inserted(imago.plan, anyarray, out boolean, out bigint) is 'Locks the rows that are to be removed, in key order: a transaction that is adding a reference to one is waited for. Says whether one of them was edited since it was inserted, and how many there are.';
