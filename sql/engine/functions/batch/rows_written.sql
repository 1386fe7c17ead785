create or replace function imago.rows_written(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
-- By what it takes the planner would rather plan it again each time.
set plan_cache_mode = force_generic_plan
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_object_agg(
      w.relation,
      -- Rows of a partitioned table are counted on its partitions.
      (select sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)
              + case when w.deletes then pg_catalog.pg_stat_get_xact_tuples_deleted(t.oid) else 0 end)
       from (select c.oid union select p.relid from pg_catalog.pg_partition_tree(c.oid) p) t(oid))), '{}')
    from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
    where w.plan = rows_written.plan);
end
$$;
comment on function imago.rows_written(text) is 'Rows that this transaction has written so far in each declared relation; take differences.';
