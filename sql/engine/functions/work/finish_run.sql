create or replace function imago.finish_run(
  run imago.run,
  plan imago.plan,
  deadline timestamptz,
  attempts_left integer,
  checks_deadline timestamptz default null
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  checks imago.validation;
  remaining record;
  claim imago.claim;
  most constant integer := 1000;
  patience constant interval := make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0);
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}', null, null);
begin
  -- The first late lane of the stage that was begun last is the lease of the end: one caller at a time.
  select l.* into lane from imago.lane l
  where l.run = run.id and l.pass = 'late' and l.number = 1
    and l.stage = (select case run.direction when 'forward' then max(b.stage) else min(b.stage) end from imago.lane b where b.run = run.id)
  for update skip locked;
  if not found then
    result.outcome := 'busy';
    return result;
  end if;
  if not lane.done then
    -- Another caller has begun the next stage, or had the lanes walked once more, since we saw that all were done.
    return result;
  end if;
  result.outcome := case when run.direction = 'forward' then imago.claims_left(run) end;
  if result.outcome is not null then
    return result;
  end if;
  result.outcome := 'working';
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
  end if;
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan) and clock_timestamp() < lane.waits_since + patience then
    result.outcome := 'deferred';
    return result;
  end if;
  if run.direction = 'forward' and (imago.next_stage(run, plan)).name is null then
    result.outcome := imago.build_indexes(run, lane.waits_since + 2 * patience);
    if result.outcome in ('deferred', 'built', 'indexing') then
      return result;
    end if;
    result.outcome := 'working';
  end if;

  -- Checks that are under way go on. What was proved before them is proved once more when they have ended.
  checks := imago.latest_end_validation(run, lane.waits_since);
  -- A rehearsal holds what it has moved: it does not ask what it has marked as too long a question.
  if imago.is_resumable(checks) is not true
     and not (lane.look_timed_out and (imago.late_walk_was_empty(lane) or current_setting('imago.dry', true) = 'on')) then
    select f.* into remaining from imago.find_remaining(run, plan, most) f;
    result.failed := imago.set_unreachable_aside(run, remaining.staged, remaining.keys);
    if result.failed > 0 then
      return result;
    end if;
    if remaining.outcome = 'incomplete' and remaining.keys = '{}' then
      update imago.lane l set look_timed_out = true
      where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
    end if;
    -- What a walk of the lanes has just left alone, another one would, too.
    if remaining.outcome <> 'working' and not (remaining.keys <> '{}' and imago.late_walk_was_empty(lane)) then
      result.outcome := remaining.outcome;
      result.sqlstate := (remaining.error).sqlstate;
      result.error_code := (remaining.error).error_code;
      result.error_detail := (remaining.error).error_detail;
      return result;
    end if;
    if remaining.keys <> '{}' and (remaining.staged).external and run.direction = 'forward' then
      -- They are handed out by a walk.
      result.outcome := 'incomplete';
      return result;
    end if;
    if remaining.keys <> '{}' then
      claim := imago.claim_allowance(run.plan, cardinality(remaining.keys));
      if claim.entities = 0 then
        result.outcome := 'rate';
        return result;
      end if;
      result := imago.move_keys(run, remaining.staged, remaining.keys[1:claim.entities], 'finish', 1, deadline, attempts_left, lane.deferrals);
      perform imago.spend_allowance(run.plan, claim, result.moved + result.failed);
      update imago.lane l set
        moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.moved,
        deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
      where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
      result.outcome := case when result.outcome in ('done', 'time') then 'working' else result.outcome end;
      return result;
    end if;
  end if;
  result.outcome := imago.end_stage(run, plan, checks, lane.waits_since, coalesce(checks_deadline, deadline));
  return result;
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz, integer, timestamptz) is 'Goes on with a run whose lanes are done, up to its next stage or its end. Waits for writers in flight (bounded), builds the indexes that rollback needs, proves that nothing is left, sets aside what cannot be reached and moves what can; then begins the next stage or, after the last, goes through the checks and ends the run. Outcome built: writers wait for the end of the call; indexing: pg_cron has to build an index; incomplete: the remaining entities, or looking for them, do not fit a call; timeout: the checks go on with the next call; claimed, external: what was handed out has yet to come back.';
