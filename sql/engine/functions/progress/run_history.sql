create or replace function imago.run_history(plan_name text, points integer)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  if points is null or points not between 1 and 10000 then
    perform imago.raise_error('IM015', 'points', coalesce(points::text, 'null'), '1 to 10000');
  end if;
  return (
    with runs as (
      -- Fixes of one validation are one line of the picture, although each call has a run of its own.
      select min(r.id) as run, max(r.id) as last_run, array_agg(r.id) as ids,
        case when r.validation is null then min(r.direction) else 'fix' end as direction,
        min(coalesce(r.started_at, r.created_at)) as started_at, max(r.finished_at) as finished_at
      from imago.run r
      where r.plan = plan_name
      group by r.validation, case when r.validation is null then r.id end
      order by run desc
      limit 50
    )
    select imago.plan_words(imago.find_plan(plan_name)) || jsonb_build_object('plan', plan_name, 'runs', coalesce(jsonb_agg(jsonb_build_object(
      'run', u.run, 'direction', u.direction, 'state', (select r.state from imago.run r where r.id = u.last_run),
      'cohort', (select r.cohort from imago.run r where r.id = u.last_run),
      'started_at', u.started_at, 'finished_at', u.finished_at,
      'moved', (
        -- Who is taken back alone is booked to the run that has moved them.
        select coalesce(sum(b.moved), 0) from imago.batch b join imago.run r on r.id = b.run
        where b.run = any (u.ids) and b.direction = r.direction),
      'failed', (select count(*) from imago.log l where l.plan = plan_name and l.run = any (u.ids) and l.event in ('failed', 'too_large', 'unreachable', 'conflict')),
      'points', imago.run_points(plan_name, u.ids, u.started_at, points)) order by u.run), '[]'))
    from runs u);
end
$$;
comment on function imago.run_history(text, integer) is 'The last 50 runs of a plan over time, for a picture: rate, batch size and failures.';
