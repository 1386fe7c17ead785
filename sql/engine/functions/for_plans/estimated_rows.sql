create or replace function imago.estimated_rows(relation text)
returns bigint
language sql
stable
set search_path = ''
as $$
  select greatest(0, coalesce(sum(c.reltuples), 0))::bigint
  from pg_catalog.pg_class c
  -- Not the partitioned table itself: once it is analyzed it has the rows of all its leaves.
  where c.oid = pg_catalog.to_regclass(relation) and c.relkind <> 'p'
     or c.oid in (select t.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation)) t where t.isleaf)
        and not exists (select from pg_catalog.pg_class p where p.oid = pg_catalog.to_regclass(relation) and p.relkind = 'r')
$$;
comment on function imago.estimated_rows(text) is 'For plans: rows of a table by its statistics; partitioned tables by their leaves.

Example: select imago.estimated_rows(''public.users'')';
