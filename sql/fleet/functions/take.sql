create or replace function imago_fleet.take(rollout bigint, member text, worker uuid)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r imago_fleet.rollout;
  m imago_fleet.member;
  rm imago_fleet.rollout_member;
  cap integer;
  busy integer;
begin
  select * into r from imago_fleet.rollout x where x.id = take.rollout;
  select * into m from imago_fleet.member x where x.name = take.member;
  cap := (r.options ->> 'per_server')::integer;
  if cap is not null then
    -- Before the row: a worker that takes another member of the server stands in line here.
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('imago_fleet server ' || imago_fleet.server_of(m), 0));
  end if;
  select * into rm from imago_fleet.rollout_member x
  where x.rollout = take.rollout and x.member = take.member for update;
  if not found or r.state <> 'running' or rm.wave > r.wave or rm.state not in ('pending', 'working', 'waiting') then
    update imago_fleet.rollout_member x set queued_at = null where x.rollout = take.rollout and x.member = take.member;
    return pg_catalog.jsonb_build_object('go', false);
  end if;
  if cap is not null then
    select count(*) into busy
    from imago_fleet.rollout_member x
    join imago_fleet.member other on other.name = x.member
    where x.state = 'working' and (x.rollout, x.member) <> (take.rollout, take.member)
      and imago_fleet.server_of(other) = imago_fleet.server_of(m) and imago_fleet.is_alive(x.worker);
    if busy >= cap then
      return pg_catalog.jsonb_build_object('go', false, 'retry_after_ms', 1000);
    end if;
  end if;
  if rm.state = 'working' then
    perform imago_fleet.note(take.rollout, 'taken over', null, take.member);
    if rm.lost >= 4 then
      update imago_fleet.rollout_member x
      set state = 'failed', code = 'WORKER_LOST', reason = 'five workers have died over it', queued_at = null,
        hint = 'Look at the memory of the workers and at their logs, then: imago fleet retry.',
        lost = rm.lost + 1, ended_at = pg_catalog.clock_timestamp()
      where x.rollout = take.rollout and x.member = take.member;
      return pg_catalog.jsonb_build_object('go', false);
    end if;
  end if;
  update imago_fleet.rollout_member x
  set state = 'working', worker = take.worker, attempt = rm.attempt + 1, due_at = null,
    lost = rm.lost + case when rm.state = 'working' then 1 else 0 end,
    queued_at = pg_catalog.clock_timestamp(), seen_at = pg_catalog.clock_timestamp(),
    begun_at = coalesce(rm.begun_at, pg_catalog.clock_timestamp())
  where x.rollout = take.rollout and x.member = take.member;
  return pg_catalog.jsonb_build_object(
    'go', true, 'attempt', rm.attempt + 1, 'task', rm.task, 'is_retry', rm.is_retry, 'first_run', rm.first_run,
    'moved', rm.moved, 'worked_ms', rm.worked_ms,
    'kind', r.kind, 'plan', r.plan, 'options', r.options,
    'member', pg_catalog.jsonb_build_object(
      'name', m.name, 'kind', m.kind, 'url', m.url, 'secret_kind', m.secret_kind, 'secret_name', m.secret_name));
end
$$;

comment on function imago_fleet.take(bigint, text, uuid) is 'Takes a member for a worker, where it is due and its server has room; else says when to ask again.';
