create or replace function imago.writes_counted(plan text, own boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
-- By what it takes the planner would rather plan it again each time.
set plan_cache_mode = force_generic_plan
-- Not plain SQL, which would be planned again at each call.
as $$
declare
  tables oid[] := (
    select coalesce(array_agg(distinct t.oid), '{}')
    from (select p.source from imago.plan p where p.name = writes_counted.plan
          union select t.source from imago.plan_stage t where t.plan = writes_counted.plan
          union select w.relation from imago.plan_write w where w.plan = writes_counted.plan) r(relation)
    -- Rows of a partitioned table are counted on its partitions.
    cross join lateral (
      select pg_catalog.to_regclass(r.relation)::oid union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(r.relation)) p) t(oid));
begin
  if own then
    return (
      select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t) + pg_catalog.pg_stat_get_xact_tuples_updated(t) + pg_catalog.pg_stat_get_xact_tuples_deleted(t)), 0)
      from unnest(tables) t);
  end if;
  return imago.rows_counted(tables);
end
$$;
comment on function imago.writes_counted(text, boolean) is 'Rows written in a plan''s tables as the server counts them: by this transaction (own), or by everybody and ever.';
