create or replace function imago_fleet.settle(rollout bigint, member text, attempt integer, outcome jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  r imago_fleet.rollout;
  rm imago_fleet.rollout_member;
  now_at constant timestamptz := pg_catalog.clock_timestamp();
  new_state text := outcome ->> 'state';
  new_tries integer;
  delay_ms bigint := coalesce((outcome ->> 'retry_after_ms')::bigint, 0);
begin
  update imago_fleet.member m
  set engine = coalesce((outcome ->> 'engine')::integer, m.engine),
    address = coalesce(outcome ->> 'address', m.address),
    seen_at = case when outcome ->> 'engine' is null then m.seen_at else now_at end
  where m.name = settle.member
    and (m.engine is distinct from coalesce((outcome ->> 'engine')::integer, m.engine)
      or m.address is distinct from coalesce(outcome ->> 'address', m.address)
      or m.seen_at is null or m.seen_at < now_at - interval '1 minute');
  select * into r from imago_fleet.rollout x where x.id = settle.rollout for share;
  select * into rm from imago_fleet.rollout_member x
  where x.rollout = settle.rollout and x.member = settle.member for update;
  if not found or rm.attempt <> settle.attempt or rm.state <> 'working' then
    return pg_catalog.jsonb_build_object('mine', false);
  end if;
  new_tries := case
    when (outcome ->> 'moved')::bigint > rm.moved then 0
    when (outcome ->> 'is_failure')::boolean then rm.tries + 1
    else 0 end;
  if new_state = 'waiting' and (outcome ->> 'is_failure')::boolean then
    -- One second, two, four, up to a minute.
    delay_ms := greatest(delay_ms, least(60000, 1000 * 2 ^ least(6, greatest(0, new_tries - 1)))::bigint);
    if new_tries >= (r.options ->> 'tries')::integer then
      new_state := 'failed';
    end if;
  end if;
  update imago_fleet.rollout_member x
  set state = new_state, tries = new_tries,
    is_retry = x.is_retry and not coalesce((outcome ->> 'is_retried')::boolean, false),
    code = outcome ->> 'code', reason = outcome ->> 'reason', hint = outcome ->> 'hint',
    first_run = coalesce(x.first_run, (outcome ->> 'first_run')::bigint),
    moved = coalesce((outcome ->> 'moved')::bigint, x.moved),
    remaining = coalesce((outcome ->> 'remaining')::bigint, x.remaining),
    per_minute = coalesce((outcome ->> 'per_minute')::bigint, x.per_minute),
    worked_ms = coalesce((outcome ->> 'worked_ms')::bigint, x.worked_ms),
    engine = coalesce((outcome ->> 'engine')::integer, x.engine),
    lost = case when new_state in ('succeeded', 'pending') then 0 else x.lost end,
    worker = null, seen_at = now_at,
    due_at = case when new_state = 'waiting' then now_at + delay_ms * interval '1 millisecond' end,
    queued_at = case when new_state in ('pending', 'waiting') and r.state = 'running' then now_at end,
    ended_at = case when new_state in ('succeeded', 'failed', 'skipped') then now_at end
  where x.rollout = settle.rollout and x.member = settle.member;
  return pg_catalog.jsonb_build_object(
    'mine', true, 'state', new_state,
    -- Somebody has to decide how it goes on.
    'decide', new_state = 'failed' or not exists (
      select from imago_fleet.rollout_member x
      where x.rollout = settle.rollout and x.state in ('pending', 'working', 'waiting') and x.wave = rm.wave),
    'again', new_state in ('pending', 'waiting') and r.state = 'running',
    'retry_after_ms', case when new_state = 'waiting' then delay_ms else 0 end);
end
$$;

comment on function imago_fleet.settle(bigint, text, integer, jsonb) is 'Notes what a piece of work on a member has come to, and whether it goes on; what an earlier taker says is not believed.';
