create or replace function imago.side_journals(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(format(
      'select j.batch, j.side -> s.key ->> 1 as became from imago_undo.%I j
       where j.entity = %s and %s and j.op = ''u'' and j.batch <> $1 and j.side ? s.key',
      o.undo_table, imago.owner_sql(o, 't'),
      imago.each_column('j.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and ')), ' union all ')
  from imago.plan_write o
  where pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(write.relation) and o.undo_table is not null
$$;
comment on function imago.side_journals(imago.plan_write) is 'SQL: what batches of any plan have left in column s.key of row u (t in its table), by batch other than $1. For read_nested.';
