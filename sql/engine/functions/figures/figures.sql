create or replace function imago.figures(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with run as (
    select r.id, r.direction, r.state
    from (select coalesce(imago.unfinished_run(figures.plan.name), imago.last_run(figures.plan.name)) as run) n, lateral (select (n.run).*) r
  ), stages as (
    select s.*, a.*, w.*, greatest(0, s.pending - f.failed - a.held) as remaining
    from imago.stage_figures(figures.plan) s
    cross join lateral imago.count_set_aside(figures.plan.name, coalesce((select r.direction from run r), 'forward'), s.stage) a
    -- What is set aside or held is still pending, as far as its rows go.
    cross join lateral imago.count_set_aside(figures.plan.name, 'forward', s.stage) f
    cross join lateral imago.entity_words(imago.plan_at_stage(figures.plan, s.stage)) w
  )
  select jsonb_build_object(
    'run', (select r.id from run r), 'direction', (select r.direction from run r), 'state', coalesce((select r.state from run r), 'none'),
    'total', sum(s.total), 'migrated', sum(s.migrated), 'pending', sum(s.pending),
    'remaining', sum(s.remaining), 'percentage', imago.percentage(sum(s.migrated)::bigint, sum(s.pending)::bigint),
    'cohort', imago.cohort_json(figures.plan.name), 'outside', sum(s.outside), 'total_is_estimate', bool_or(s.is_estimate), 'count_error', (array_agg(s.error order by s.stage) filter (where s.error is not null))[1],
    'stages', jsonb_agg(jsonb_build_object(
      'stage', s.stage, 'entity_singular', s.singular, 'entity_plural', s.plural,
      'total', s.total, 'migrated', s.migrated, 'pending', s.pending, 'failed', s.failed, 'unreachable', s.unreachable, 'held', s.held,
      'conflicts', s.conflicts, 'remaining', s.remaining, 'outside', s.outside, 'percentage', imago.percentage(s.migrated, s.pending),
      'total_is_estimate', s.is_estimate) order by s.stage))
    || (
      -- Rows that several entities share belong to no stage.
      select jsonb_build_object('failed', a.failed, 'unreachable', a.unreachable, 'held', a.held, 'conflicts', a.conflicts)
      from imago.count_set_aside(figures.plan.name, coalesce((select r.direction from run r), 'forward')) a)
  from stages s
$$;
comment on function imago.figures(imago.plan) is 'How far a plan is, in all and by stage. What every path tells: the functions of the API, the edge functions, the commands.';
