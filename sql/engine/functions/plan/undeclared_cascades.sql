create or replace function imago.undeclared_cascades(plan text)
returns table (relation text, object text, deletes boolean)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return query
  select imago.name_of(c.conrelid), format('%I on %s', c.conname, imago.name_of(c.conrelid)), c.confdeltype = 'c'
  from imago.plan_write d
  join pg_catalog.pg_constraint c on c.contype = 'f' and c.conparentid = 0 and c.confdeltype in ('c', 'n', 'd')
    and (c.confrelid = pg_catalog.to_regclass(d.relation)
         or c.confrelid in (select t.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(d.relation)) t))
  where d.plan = undeclared_cascades.plan and d.deletes
    and not exists (
      select from imago.plan_write w
      where w.plan = d.plan and pg_catalog.to_regclass(w.relation) = coalesce(pg_catalog.pg_partition_root(c.conrelid), c.conrelid)
        -- Rows that go where none may go are counted; columns that change where none is declared are not.
        and (c.confdeltype = 'c' or not exists (
          select from pg_catalog.pg_attribute a
          where a.attrelid = c.conrelid and a.attnum = any (coalesce(c.confdelsetcols, c.conkey)) and a.attname <> all (w.columns))))
  order by 1, 2;
end
$$;
comment on function imago.undeclared_cascades(text) is 'Foreign keys that delete or change rows which a plan does not declare, when it deletes the rows that they refer to.';
