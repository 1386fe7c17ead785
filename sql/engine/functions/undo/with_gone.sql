create or replace function imago.with_gone(write imago.plan_write, condition text)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  if not write.deletes then
    return write.relation;
  end if;
  return format(
    '(select %s from %s union all select %s from imago_undo.%I d where d.op = ''d'' and %s)',
    imago.each_column('%2$I', write.relation, write.deleted_columns), write.relation,
    imago.each_column('d.old_%1$s::%3$s', write.relation, write.deleted_columns), write.undo_table, condition);
end
$$;
comment on function imago.with_gone(imago.plan_write, text) is 'SQL: the rows of a declared relation, with deleted ones that the journal (d) keeps under a condition.';
