create or replace function imago_fleet.follow_clock()
returns void
language plpgsql
set search_path = ''
as $$
declare
  now_at constant timestamptz := pg_catalog.clock_timestamp();
  last timestamptz;
  back interval;
begin
  update imago_fleet.version v set ticked_at = now_at
  from (select x.ticked_at from imago_fleet.version x) was
  returning was.ticked_at into last;
  back := last - now_at;
  if last is null or back < interval '1 second' then
    return;
  end if;
  -- What lies ahead was written by the clock as it was. Else jobs would wait, and the dead seem alive, for so long.
  update imago_fleet.worker w set seen_at = w.seen_at - back where w.seen_at > now_at;
  update imago_fleet.wave w set worked_at = w.worked_at - back where w.worked_at > now_at;
  update imago_fleet.rollout_member x
  set queued_at = case when x.queued_at > now_at then x.queued_at - back else x.queued_at end,
    due_at = case when x.due_at > now_at then x.due_at - back else x.due_at end,
    seen_at = case when x.seen_at > now_at then x.seen_at - back else x.seen_at end
  where greatest(x.queued_at, x.due_at, x.seen_at) > now_at;
  update imago_fleet_jobs.job j
  set start_after = case when j.start_after > now_at then j.start_after - back else j.start_after end,
    started_on = case when j.started_on > now_at then j.started_on - back else j.started_on end,
    heartbeat_on = case when j.heartbeat_on > now_at then j.heartbeat_on - back else j.heartbeat_on end
  where greatest(j.start_after, j.started_on, j.heartbeat_on) > now_at;
end
$$;

comment on function imago_fleet.follow_clock() is 'Where the clock of the server was set back, sets back what was written by it.';
