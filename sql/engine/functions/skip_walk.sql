create or replace function imago.skip_walk(run imago.run, plan imago.plan, lane imago.lane)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if lane.pass is distinct from 'late' or lane.cursor_key is not null or lane.moved_before is not null or run.late_only
     or exists (select from imago.failure f where f.plan = plan.name)
     or imago.setting_number('proof_mb') * 1024 * 1024 < (
       select sum(pg_catalog.pg_relation_size(t.oid))
       from (select pg_catalog.to_regclass(format('%I.%I', plan.source_schema, plan.source_table)) as oid
             union select pg_catalog.to_regclass(w.relation) from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage) root
       cross join lateral (select root.oid union select p.relid from pg_catalog.pg_partition_tree(root.oid) p) t) then
    return false;
  end if;
  perform imago.close_lanes(run.id, plan.stage);
  return true;
end
$$;
comment on function imago.skip_walk(imago.run, imago.plan, imago.lane) is 'Closes late lanes of a stage that nobody has to walk: nothing is set aside, and the tables are small enough for one query to find what is left.';
