create or replace function imago.written_tables(relation text)
returns setof pg_catalog.regclass
language sql
stable
set search_path = ''
as $$
  -- A plain table is not in its own partition tree. Foreign tables can have no transition tables, and on others' we can put nothing.
  select c.oid::pg_catalog.regclass
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(written_tables.relation)
     or c.oid in (select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(written_tables.relation)) p)
        and c.relkind in ('r', 'p') and pg_catalog.pg_has_role(c.relowner, 'usage')
  order by c.oid
$$;
comment on function imago.written_tables(text) is 'A table and its partitions of all levels. A statement trigger fires for the one that the statement names, so each has ours.';
