create or replace function imago.undo_rows(write imago.plan_write, plan imago.plan, entities anyarray, out query text, out row_count bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  looked imago.way_back;
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  source text := format('imago_undo.%I u where u.entity = any %s and u.op = ''u''', write.undo_table, imago.keys_sql(plan));
begin
  if write.inserts then
    source := source || format(
      ' and not exists (select from imago_undo.%I i where i.entity = u.entity and i.op = ''i'' and %s)',
      write.undo_table, imago.each_column('i.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '));
  end if;
  looked := imago.go_back(write, 'look', entities);
  row_count := looked.rows;
  if not looked.again then
    query := format('select u.entity, %s, %s, %s from %s',
      imago.each_column('u.key_%1$s', write.relation, write.key_columns),
      imago.each_column('u.before_%1$s', write.relation, write.columns),
      imago.each_column('u.after_%1$s', write.relation, write.columns), source);
    return;
  end if;
  -- A batch that left a column alone has noted what it found there, which may be somebody's edit: the after of a column is
  -- that of the last batch which changed it.
  query := format(
    'select distinct on (%1$s) u.entity, %2$s, %3$s, %4$s from %5$s order by %1$s',
    'u.entity, ' || imago.each_column('u.key_%1$s', write.relation, write.key_columns),
    imago.each_column('u.key_%1$s', write.relation, write.key_columns),
    imago.each_column(format('first_value(u.before_%%1$s) over (partition by u.entity, %s order by u.batch) as before_%%1$s', keys),
                    write.relation, write.columns),
    imago.each_column(format(
      'first_value(u.after_%%1$s) over (
         partition by u.entity, %s
         order by u.before_%%1$s::%%5$s is distinct from u.after_%%1$s::%%5$s desc,
                  case when u.before_%%1$s::%%5$s is distinct from u.after_%%1$s::%%5$s then - u.batch else u.batch end) as after_%%1$s', keys),
      write.relation, write.columns),
    source);
  execute format('select count(*) from (%s) j', query) into row_count using entities;
end
$$;
comment on function imago.undo_rows(imago.plan_write, imago.plan, anyarray) is 'SQL for the updates of the entities $1, one row for each row written, and how many there are. Each column has its before of the first batch, and its after of the last one that changed it.';
