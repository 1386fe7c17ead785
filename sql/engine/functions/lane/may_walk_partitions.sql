create or replace function imago.may_walk_partitions(source text)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Each lane is a row that calls look through.
  select count(*) between 1 and 1000
    and bool_and(c.relkind = 'r' and pg_catalog.has_table_privilege(c.oid, 'select'))
  from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(source)) t
  join pg_catalog.pg_class c on c.oid = t.relid
  where t.isleaf and t.level > 0
$$;
comment on function imago.may_walk_partitions(text) is 'Whether a table is walked partition by partition. So where all are tables that may be read, and not too many to keep a lane for each.';
