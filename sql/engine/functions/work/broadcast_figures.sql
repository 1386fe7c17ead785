create or replace function imago.broadcast_figures(run imago.run)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  every_ms integer;
begin
  if 'realtime' <> all (imago.notify_ways()) or run.state <> 'running' or current_setting('imago.dry', true) = 'on'
     or current_setting('transaction_read_only') = 'on' then
    return;
  end if;
  every_ms := imago.setting_number('broadcast_ms');
  -- One call sends; who comes meanwhile, or too soon, does not.
  perform from imago.governor g
  where g.plan = run.plan and every_ms > 0
    and coalesce(g.broadcast_at <= clock_timestamp() - make_interval(secs => greatest(1000, every_ms) / 1000.0), true)
  for update skip locked;
  if not found then
    return;
  end if;
  update imago.governor g set broadcast_at = clock_timestamp() where g.plan = run.plan;
  begin
    execute 'select realtime.send($1, $2, $3, true)' using jsonb_build_object(
      'plan', run.plan, 'run', run.id, 'direction', run.direction, 'state', run.state,
      'per_minute', nullif(round(imago.recent_rate(run)), 0),
      'waiting', imago.hold_reason(run.plan), 'health', imago.health_json(run.plan),
      'checking', imago.end_checks_done(run), 'lanes', imago.lanes_json(run.id)), 'figures', 'imago:' || run.plan;
  exception when others or assert_failure then
    -- What shows a batch is never in its way, and is not tried again at once.
    update imago.governor g set broadcast_at = clock_timestamp() + interval '10 minutes' where g.plan = run.plan;
    perform imago.write_log(run.plan, run.id, 'warning', 'broadcast_failed', '{}', null, sqlstate);
  end;
end
$$;
comment on function imago.broadcast_figures(imago.run) is 'Sends how far a run is by Realtime, where somebody has asked for that: at most once in broadcast_ms, and once a second. No keys, and never raises.';
