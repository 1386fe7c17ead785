create or replace function imago.read_vacuum(plan imago.plan)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select v.relid::pg_catalog.regclass::text, max(case when a.query like '%to prevent wraparound%' then 2 else 1 end)::numeric, null::numeric
  from pg_catalog.pg_stat_progress_vacuum v
  left join pg_catalog.pg_stat_activity a on a.pid = v.pid
  where v.datname = current_database() and exists (
    select from imago.plan_relations(plan) r(relation)
    where v.relid = r.relation or v.relid in (select p.relid from pg_catalog.pg_partition_tree(r.relation) p))
  group by 1;
end
$$;
comment on function imago.read_vacuum(imago.plan) is 'Signal vacuum: tables of the plan that are being vacuumed; 2 where it prevents wraparound.';
