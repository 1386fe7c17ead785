create or replace function imago.progress(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  entities record;
  counts record;
  per_minute numeric;
begin
  if run.id is null then
    run := imago.last_run(plan_name);
  end if;
  perform imago.expect_source(plan);
  select * into entities from imago.count_entities(plan, false);
  select * into counts from imago.count_set_aside(plan_name);
  per_minute := imago.recent_rate(run.id);
  return imago.guide_names(imago.plan_words(plan) || jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'direction', run.direction,
    'state', coalesce(run.state, 'none'), 'phase', imago.plan_phase(plan, run), 'reason', run.reason,
    'findings', run.findings,
    'unindexed', (
      select coalesce(jsonb_agg(jsonb_build_object('object', u.object, 'statement', u.statement)), '[]')
      from imago.missing_indexes(plan_name) u where u.is_left),
    'total', entities.total, 'migrated', entities.migrated, 'pending', entities.pending,
    'failed', counts.failed, 'unreachable', counts.unreachable, 'held', counts.held, 'conflicts', counts.conflicts,
    -- What is set aside or held is still pending, as far as its rows go.
    'remaining', greatest(0, entities.pending - counts.failed - counts.held),
    'percentage', imago.percentage(entities.migrated, entities.pending),
    'per_minute', round(per_minute),
    'eta_seconds', case when run.state = 'running' and per_minute > 0
      then ceil(60 * (case run.direction when 'rollback' then entities.migrated else entities.pending end) / per_minute) end,
    'lanes', coalesce((
      select jsonb_agg(imago.stage_label(l.stage) || jsonb_build_object('pass', l.pass, 'number', l.number, 'processed', l.processed, 'moved', l.moved,
                                          'failed', l.failed, 'batch_size', l.batch_size, 'done', l.done) order by l.stage, l.pass desc, l.number)
      from imago.lane l where l.run = run.id), '[]'),
    'started_at', run.started_at,
    'updated_at', (select max(l.updated_at) from imago.lane l where l.run = run.id),
    'finalize', case when plan.finalizing_at is not null then imago.finalize_answer(plan_name, (select s.name from imago.finalize_steps(plan) s where not s.done order by s.number limit 1),
      'finalizing') - '{plan,has_more,retry_after_ms,warnings}'::text[] end,
    'total_is_estimate', entities.is_estimate, 'count_error', entities.error, 'waiting', imago.read_only_database(), 'scheduled', imago.scheduled(plan_name)));
end
$$;
comment on function imago.progress(text) is 'State, counts, rate and remaining time of a plan. Above about 100,000 entities counts come from lanes and statistics and are marked as estimates.';
