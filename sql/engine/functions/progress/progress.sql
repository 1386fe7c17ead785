create or replace function imago.progress(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  figures jsonb;
  per_minute numeric;
begin
  if run.id is null then
    run := imago.last_run(plan_name);
  end if;
  perform imago.expect_source(plan);
  figures := imago.figures(plan);
  per_minute := nullif(round(imago.recent_rate(run)), 0);
  return imago.guide_names(imago.plan_words(plan) || figures || jsonb_build_object(
    'plan', plan_name, 'phase', imago.plan_phase(plan, run), 'reason', run.reason,
    'findings', run.findings,
    'unindexed', (
      select coalesce(jsonb_agg(jsonb_build_object('object', u.object, 'statement', u.statement)), '[]')
      from imago.missing_indexes(plan_name) u where u.is_left),
    'per_minute', per_minute,
    'eta_seconds', ceil(60 * (figures ->> case run.direction when 'rollback' then 'migrated' else 'remaining' end)::numeric / per_minute),
    'waiting', coalesce(imago.read_only_database(), case when run.state = 'running' then imago.hold_reason(plan_name) end),
    'health', imago.health_json(plan_name),
    'throttle', imago.throttle_json(plan_name),
    'checking', imago.end_checks_done(run),
    'lanes', imago.lanes_json(run.id),
    'started_at', run.started_at,
    'updated_at', (select max(l.updated_at) from imago.lane l where l.run = run.id),
    'finalize', case when plan.finalizing_at is not null then imago.finalize_answer(plan_name, (select s.name from imago.finalize_steps(plan) s where not s.done order by s.number limit 1),
      'finalizing') - '{plan,has_more,retry_after_ms,warnings}'::text[] end,
    'scheduled', imago.scheduled(plan_name)));
end
$$;
comment on function imago.progress(text) is 'State, counts, rate and remaining time of a plan. Above about 100,000 entities counts come from lanes and statistics and are marked as estimates.';
