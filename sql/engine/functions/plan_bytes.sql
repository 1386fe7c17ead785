create or replace function imago.plan_bytes(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  select sum(pg_catalog.pg_relation_size(t.oid))::bigint
  from (
    select pg_catalog.to_regclass(format('%I.%I', plan.source_schema, plan.source_table)) as oid
    union
    select pg_catalog.to_regclass(w.relation) from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage
  ) root
  cross join lateral (select root.oid union select p.relid from pg_catalog.pg_partition_tree(root.oid) p) t
$$;
comment on function imago.plan_bytes(imago.plan) is 'Bytes of the source of a stage and of the tables that it writes, without their indexes.';
