create or replace function imago.fold_deleted(write imago.plan_write, key_type text, batch bigint, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  same_row text := format('d.batch = $1 and d.op = ''d'' and d.entity = any ($2::%s[]) and u.batch = $1 and u.op = ''u'' and u.entity = d.entity and %s',
    key_type, imago.each_column('u.key_%1$s = d.key_%1$s', write.relation, write.key_columns, ' and '));
begin
  execute format(
    'update imago_undo.%1$I d set %2$s from imago_undo.%1$I u where %3$s', write.undo_table, (
      select string_agg(format('old_%1$s = ' || case
          when c.name = any (write.columns) then 'u.before_%3$s'
          else 'case when u.side ? %2$L then (u.side -> %2$L ->> 0)::%4$s else d.old_%1$s end' end,
        c.ordinal, c.name, array_position(write.columns, c.name), c.kept), ', ')
      from imago.journal_columns(write.relation, write.deleted_columns) c), same_row)
  using batch, entities;
  execute format('delete from imago_undo.%1$I u using imago_undo.%1$I d where %2$s', write.undo_table, same_row) using batch, entities;
end
$$;
comment on function imago.fold_deleted(imago.plan_write, text, bigint, text[]) is 'Has the journal of a batch keep deleted rows as they were before the batch had written them.';
