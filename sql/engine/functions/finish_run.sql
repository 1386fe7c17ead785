create or replace function imago.finish_run(run imago.run, plan imago.plan, deadline timestamptz, attempts_left integer)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  todo text[];
  left_aside bigint;
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}');
begin
  -- The first late lane is the lease of the end: one caller at a time.
  select l.* into lane from imago.lane l where l.run = run.id and l.pass = 'late' and l.number = 1 for update skip locked;
  if not found then
    result.outcome := 'busy';
    return result;
  end if;
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = run.id and l.pass = 'late' and l.number = 1;
  end if;
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan)
     and clock_timestamp() < lane.waits_since + make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0) then
    result.outcome := 'deferred';
    return result;
  end if;

  if not imago.proved_by_walk(lane) then
    begin
      todo := imago.left_over(run, plan, 1000);
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        result.outcome := 'incomplete';
        return result;
      when syntax_error_or_access_rule_violation then
        result.outcome := 'stop';
        result.sqlstate := sqlstate;
        return result;
    end;
  end if;
  if todo <> '{}' then
    result := imago.move_keys(run, plan, todo, 'finish', 1, deadline, attempts_left, lane.deferrals);
    update imago.lane l set
      moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.moved,
      deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
    where l.run = run.id and l.pass = 'late' and l.number = 1;
    result.outcome := case when result.outcome in ('done', 'time') then 'working' else result.outcome end;
    return result;
  end if;

  if run.direction = 'rollback' and not imago.remove_capture(plan) then
    result.outcome := 'deferred';
    return result;
  end if;
  perform imago.forget_moved(run, plan);
  select count(distinct f.entity) into left_aside
  from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.kind <> 'held';
  begin
    if left_aside > 0 then
      perform imago.transit(run.id, 'fail', format('%s entities set aside', left_aside), 'set_aside');
    else
      perform imago.transit(run.id, 'succeed');
    end if;
    result.outcome := 'done';
  exception when sqlstate 'IM016' then
    result.outcome := 'busy';
  end;
  return result;
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz, integer) is 'Ends a run whose lanes are done: waits for writers in flight (bounded), proves that nothing is left and moves what is, then succeeds or fails. Outcome incomplete: looking for what is left does not fit a call.';
