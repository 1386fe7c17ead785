create or replace function imago.signal_statistics(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with signals as (
    select s.name, coalesce(sum(r.held_ms), 0) as waited_ms, coalesce(max(r.level), 0) as level
    from imago.signal s left join imago.reading r on r.signal = s.name and r.plan = run.plan
    group by s.name
  )
  select jsonb_build_object(
    'waited_ms_by_signal', jsonb_object_agg(s.name, s.waited_ms),
    -- Nobody looks between runs.
    'level_by_signal', coalesce(jsonb_object_agg(s.name, s.level) filter (where run.state = 'running'), '{}'))
  from signals s
$$;
comment on function imago.signal_statistics(imago.run) is 'How long each signal of the governor has held the runs of a plan, and, while one is running, what it counts as now.';
