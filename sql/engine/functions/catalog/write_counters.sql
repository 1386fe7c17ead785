create or replace function imago.write_counters(relations text[])
returns table (relation text, inserted bigint, updated bigint, deleted bigint)
language plpgsql
volatile
set search_path = ''
-- By what it takes the planner would rather plan it again each time.
set plan_cache_mode = force_generic_plan
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select r.relation,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid)), 0)::bigint,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)), 0)::bigint,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_deleted(t.oid)), 0)::bigint
  from unnest(relations) r(relation)
  -- Rows of a partitioned table are counted on its partitions.
  cross join lateral (
    select pg_catalog.to_regclass(r.relation)::oid
    union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(r.relation)) p) t(oid)
  group by r.relation;
end
$$;
comment on function imago.write_counters(text[]) is 'Rows of these tables that this transaction has inserted, updated and deleted so far. Counted by the server; take differences.';
