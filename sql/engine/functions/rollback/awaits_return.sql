create or replace function imago.awaits_return(write imago.plan_write)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return exists (
    select
    from pg_catalog.pg_constraint c
    join imago.plan_write d on d.plan = write.plan and d.deletes
      and pg_catalog.to_regclass(d.relation) = coalesce(pg_catalog.pg_partition_root(c.confrelid), c.confrelid)
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
    where c.contype = 'f' and a.attname = any (write.columns)
      and coalesce(pg_catalog.pg_partition_root(c.conrelid), c.conrelid) = pg_catalog.to_regclass(write.relation));
end
$$;
comment on function imago.awaits_return(imago.plan_write) is 'Whether a foreign key of declared columns may want deleted rows back before these columns are restored.';
