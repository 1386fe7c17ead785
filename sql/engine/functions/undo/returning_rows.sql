create or replace function imago.returning_rows(write imago.plan_write, plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  keys text := imago.each_column('j.key_%1$s', write.relation, write.key_columns);
begin
  if not write.inserts then
    return format('select distinct on (%1$s) j.* from imago_undo.%2$I j where j.entity = any %3$s and j.op = ''d'' order by %1$s, j.batch desc',
      keys, write.undo_table, imago.keys_sql(plan));
  end if;
  -- A row that the plan itself had inserted before was not there at first.
  return format(
    'select distinct on (%1$s) j.* from (
       select u.*, lag(u.op) over (partition by %2$s order by u.batch, u.op) as former
       from imago_undo.%3$I u where u.entity = any %4$s and u.op in (''d'', ''i'')) j
     where j.op = ''d'' and j.former is distinct from ''i'' order by %1$s, j.batch desc',
    keys, imago.each_column('u.key_%1$s', write.relation, write.key_columns), write.undo_table, imago.keys_sql(plan));
end
$$;
comment on function imago.returning_rows(imago.plan_write, imago.plan) is 'SQL: the deleted rows of the entities $1 that come back, as the journal has them. One for each key, the last that the plan has not inserted itself.';
