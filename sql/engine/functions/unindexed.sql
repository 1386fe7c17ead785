create or replace function imago.unindexed(plan_name text)
returns table (write_id integer, relation text, column_name text, bytes bigint)
language sql
stable
set search_path = ''
as $$
  select w.id, w.relation, p.name, (
      -- A partitioned table has its rows in its partitions; a plain one is not in its own partition tree.
      select sum(pg_catalog.pg_relation_size(t.oid))::bigint
      from (select r.oid union select l.relid from pg_catalog.pg_partition_tree(r.oid) l) t(oid))
  from imago.plan_write w
  cross join lateral jsonb_object_keys(w.points_to) p(name)
  cross join lateral (select pg_catalog.to_regclass(w.relation)::oid) r(oid)
  where imago.index_of(w.relation, p.name) is null and w.plan = plan_name and p.name <> all (w.unindexed)
  order by w.position, p.name
$$;
comment on function imago.unindexed(text) is 'Declared columns that point at inserted rows and have no index yet, with the size of the table; without those that were left to a person.';
