create or replace function imago_fleet.queued(rollout bigint, members text[])
returns void
language sql
set search_path = ''
as $$
  update imago_fleet.rollout_member x set queued_at = pg_catalog.clock_timestamp()
  where x.rollout = queued.rollout and x.member = any (queued.members);
  notify imago_fleet
$$;

comment on function imago_fleet.queued(bigint, text[]) is 'Notes that members have a job, and tells the workers.';
