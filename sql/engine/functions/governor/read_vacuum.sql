create or replace function imago.read_vacuum(plan imago.plan)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Nearly always: what follows takes three times as long.
  if not exists (select from pg_catalog.pg_stat_get_progress_info('VACUUM')) then
    return '{}';
  end if;
  return array(
    select row('vacuum', v.relation::pg_catalog.regclass, max(case when a.query like '%to prevent wraparound%' then 2 else 1 end), null)::imago.measurement
    from (select p.pid, p.relid as relation from pg_catalog.pg_stat_get_progress_info('VACUUM') p
          where p.datid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())) v
    left join lateral pg_catalog.pg_stat_get_activity(v.pid) a on true
    where exists (
      select from imago.plan_relations(plan) r(relation)
      where v.relation = r.relation or v.relation in (select p.relid from pg_catalog.pg_partition_tree(r.relation) p))
    group by v.relation);
end
$$;
comment on function imago.read_vacuum(imago.plan) is 'Signal vacuum: tables of the plan that are being vacuumed; 2 where it prevents wraparound.';
