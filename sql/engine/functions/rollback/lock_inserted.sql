create or replace function imago.lock_inserted(plan imago.plan, keys anyarray, out is_edited boolean, out present bigint)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  locked imago.way_back;
begin
  is_edited := false;
  present := 0;
  for write in select w.* from imago.stage_writes(plan) w where w.inserts loop
    execute format('select l.* from imago_undo.%I($1) l', write.undo_table || '_lock') into locked using keys;
    is_edited := is_edited or locked.altered;
    present := present + locked.rows;
  end loop;
end
$$;
comment on function imago.lock_inserted(imago.plan, anyarray, out boolean, out bigint) is 'Locks the rows that are to be removed, in key order: a transaction that is adding a reference to one is waited for. Says whether one of them was edited since it was inserted, and how many there are.';
