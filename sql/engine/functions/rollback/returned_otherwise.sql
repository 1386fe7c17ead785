create or replace function imago.returned_otherwise(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- What batches have changed before they deleted the row has gone back beyond what the journal kept then.
  select string_agg(format(
      '%1$s <= j.width and t.%2$I::%3$s is distinct from j.old_%1$s::%3$s and not exists (
         select from imago_undo.%4$I u where u.entity = j.entity and u.op = ''u'' and %5$s and %6$s)',
      c.ordinal, c.name, case when c.comparable then c.kept else 'text collate "C"' end, write.undo_table,
      imago.each_column('u.key_%1$s = j.key_%1$s', write.relation, write.key_columns, ' and '),
      case when c.name = any (write.columns) then 'true' else format('u.side ? %L', c.name) end), ' or ' order by c.ordinal)
  from imago.journal_columns(write.relation, write.deleted_columns) c
$$;
comment on function imago.returned_otherwise(imago.plan_write) is 'SQL: whether a row that came back (t) is another one than the journal (j) kept.';
