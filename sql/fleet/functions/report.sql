create or replace function imago_fleet.report(rollout bigint, member text, attempt integer, figures jsonb)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update imago_fleet.rollout_member x
  set first_run = coalesce(x.first_run, (figures ->> 'first_run')::bigint),
    moved = coalesce((figures ->> 'moved')::bigint, x.moved),
    remaining = coalesce((figures ->> 'remaining')::bigint, x.remaining),
    per_minute = coalesce((figures ->> 'per_minute')::bigint, x.per_minute),
    worked_ms = coalesce((figures ->> 'worked_ms')::bigint, x.worked_ms),
    tries = case when (figures ->> 'moved')::bigint > x.moved then 0 else x.tries end,
    code = figures ->> 'code', reason = figures ->> 'reason',
    seen_at = pg_catalog.clock_timestamp()
  where x.rollout = report.rollout and x.member = report.member and x.attempt = report.attempt and x.state = 'working';
  return found and exists (select from imago_fleet.rollout r where r.id = report.rollout and r.state = 'running');
end
$$;

comment on function imago_fleet.report(bigint, text, integer, jsonb) is 'Notes how far a member is; false: stop, somebody else has it, or the rollout rests.';
