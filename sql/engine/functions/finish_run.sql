create or replace function imago.finish_run(run imago.run, plan imago.plan, deadline timestamptz, attempts_left integer)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  staged imago.plan;
  todo text[];
  checks imago.validation;
  findings jsonb;
  most constant integer := 1000;
  patience interval;
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}');
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
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
  end if;
  patience := make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0);
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan) and clock_timestamp() < lane.waits_since + patience then
    result.outcome := 'deferred';
    return result;
  end if;
  if run.direction = 'forward' and (imago.next_stage(run, plan)).name is null then
    result.outcome := imago.index_pointers(run, lane.waits_since + 2 * patience);
    if result.outcome in ('deferred', 'built') then
      return result;
    end if;
    result.outcome := 'working';
  end if;

  -- Checks that are under way go on. What was proved before them is proved once more when they have ended.
  checks := imago.end_checks(run, lane.waits_since);
  if imago.is_live(checks) is not true and not imago.proved_by_walk(lane) then
    begin
      for staged in select s.* from imago.begun_stages(run, plan) s loop
        todo := imago.left_over(run, staged, most);
        exit when todo <> '{}';
      end loop;
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
  if cardinality(todo) = most then
    result.outcome := 'incomplete';
    return result;
  end if;
  if todo <> '{}' then
    result := imago.move_keys(run, staged, todo, 'finish', 1, deadline, attempts_left, lane.deferrals);
    update imago.lane l set
      moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.moved,
      deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
    where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
    result.outcome := case when result.outcome in ('done', 'time') then 'working' else result.outcome end;
    return result;
  end if;

  staged := imago.next_stage(run, plan);
  if staged.name is not null then
    perform imago.cut_lanes(run, staged);
    perform imago.write_log(run.plan, run.id, 'info', 'stage', jsonb_build_object('stage', staged.stage));
    return result;
  end if;
  if run.direction = 'rollback' then
    result.outcome := case imago.remove_capture(run, plan) when 'busy' then 'deferred' when 'more' then 'incomplete' else 'working' end;
    if result.outcome <> 'working' then
      return result;
    end if;
  end if;
  if run.direction = 'forward' then
    findings := imago.check_end(run, plan, checks, lane.waits_since, deadline);
    if findings is null then
      -- Checks that are not through yet have used up this call.
      result.outcome := case when imago.is_live(imago.end_checks(run, lane.waits_since)) then 'timeout' else 'working' end;
      return result;
    end if;
  end if;
  result.outcome := imago.end_run(run, plan, findings);
  return result;
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz, integer) is 'Goes on with a run whose lanes are done: waits for writers in flight (bounded), builds the indexes that rollback needs, proves that nothing is left and moves what is; then begins the next stage or, after the last, goes through the checks and ends the run. Outcome built: writers wait for the end of the call; incomplete: what is left, or looking for it, does not fit a call; timeout: the checks go on with the next call.';
