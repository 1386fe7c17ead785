create or replace function imago.dry_run_report(plan imago.plan, run imago.run, tried jsonb, before jsonb, first_log bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer constant jsonb := tried -> 'answer';
  unsure constant integer[] := array(select (s ->> 'stage')::integer from jsonb_array_elements(tried -> 'stages') s where (s ->> 'unsure')::bigint > 0);
  written jsonb;
  side_effects jsonb;
  undeclared jsonb;
begin
  written := imago.add_counts(imago.table_counters(), before, -1);
  with written_tables as (
    select split_part(w.key, ' ', 1) as kind, substr(w.key, strpos(w.key, ' ') + 1) as name, w.value::bigint as amount
    from jsonb_each_text(written) w
    where w.value::bigint > 0
  ), others as (
    -- Updates of declared tables are looked at column by column; rows inserted or deleted there must be declared.
    select t.name, sum(t.amount)::bigint as amount, imago.explained_by_trigger(plan.name, t.name)
      -- A materialized view is written by nothing but its refresh.
      or exists (select from pg_catalog.pg_class c where c.oid = t.name::pg_catalog.regclass and c.relkind = 'm') as explained
    from written_tables t
    where not exists (
      select from imago.plan_write p
      where p.plan = plan.name
        and p.relation::pg_catalog.regclass = coalesce(pg_catalog.pg_partition_root(t.name::pg_catalog.regclass), t.name::pg_catalog.regclass)
        and (t.kind = 'update' or t.kind = 'insert' and p.inserts or t.kind = 'delete' and p.deletes))
    group by t.name
    union all
    select distinct format('%s.%s', l.detail ->> 'relation', l.detail ->> 'column'), null::bigint,
      imago.explained_by_trigger(plan.name, l.detail ->> 'relation', l.detail ->> 'column')
    from imago.log l where l.id > first_log and l.event = 'undeclared_column'
  )
  select
    coalesce(jsonb_agg(jsonb_build_object('object', name, 'rows', amount)) filter (where explained), '[]'),
    coalesce(jsonb_agg(name) filter (where not explained), '[]')
    into side_effects, undeclared
  from others;
  return answer - 'run' || jsonb_build_object(
    'found', case when imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then '[]' else imago.rehearsal_problems(plan) end, 'dry_run', true, 'side_effects', side_effects, 'undeclared', undeclared,
    'failed', (select sum((s ->> 'failed')::bigint) from jsonb_array_elements(tried -> 'stages') s),
    'failures', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'stage', nullif(f.stage, 1), 'entity', f.entity, 'kind', f.kind, 'sqlstate', f.sqlstate, 'constraint', f.constraint_name,
        'table', f.table_name, 'raised_by', f.raised_by, 'unsure', case when f.stage = any (unsure) then true end)) order by f.id)
      from (select * from imago.failure f where f.run = dry_run_report.run.id order by f.id limit 100) f), '[]'),
    'error', imago.rehearsal_error(plan, answer -> 'error'),
    'rows_per_second', round((select coalesce(sum(value::bigint), 0) from jsonb_each_text(answer -> 'rows'))
      / greatest(0.001, (answer ->> 'duration_ms')::numeric / 1000)));
end
$$;
comment on function imago.dry_run_report(imago.plan, imago.run, jsonb, jsonb, bigint) is 'What a dry run found: rows, failures, side effects of the app''s triggers, undeclared writes.';
