create or replace function imago.bloat(plan_name text, run imago.run)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan constant imago.plan := imago.find_plan(plan_name);
  -- Less is no more than what a table of the app has on any day.
  least_rows constant integer := 1000;
  least_percent constant integer := 10;
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'relation', b.name, 'dead_rows', b.dead, 'dead_rows_of_run', b.dead - case when b.dead >= b.before then b.before else 0 end,
      'dead_percent', b.percent, 'bytes', b.bytes, 'grown_bytes', b.grown, 'autovacuum', b.autovacuum, 'autovacuum_above', round(b.threshold),
      'statement', case when b.autovacuum in ('off', 'later') then format('vacuum (analyze) %s;', b.name) end) order by b.dead desc, b.name), '[]')
    from (
      select t.relation::text as name, t.dead, t.bytes, round(100.0 * t.dead / (t.live + t.dead)) as percent, v.threshold,
        t.bytes - (plan.bytes_before ->> t.relation::text)::bigint as grown, coalesce((run.dead_before ->> t.relation::text)::bigint, 0) as before,
        case when exists (select from pg_catalog.pg_stat_progress_vacuum p where p.relid = t.relation) then 'runs'
          when v.threshold is null then 'off' when t.dead > v.threshold then 'comes' else 'later' end as autovacuum
      from imago.table_states(plan) t
      cross join lateral (select imago.vacuum_threshold(t.relation) as threshold) v
      where t.dead >= least_rows
    ) b
    where b.percent >= least_percent);
end
$$;
comment on function imago.bloat(text, imago.run) is 'Tables of a plan in which dead rows take room worth a word, with what removes them. autovacuum: it runs there, comes by itself, comes later (there are too few of them for it) or is off. No table is read.';
