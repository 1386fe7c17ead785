create or replace function imago.work_run(run_id bigint, max_ms integer, fixed_size integer default null, returned imago.returned default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '400ms'
as $$
declare
  run imago.run;
  plan imago.plan;
  staged imago.plan;
  lane imago.lane;
  moves imago.moves;
  totals jsonb := '{}';
  rows jsonb := '{}';
  outcome text := 'working';
  indexing text := 'none';
  attempts_left integer := imago.setting_number('max_sub_batches');
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
  checks_deadline timestamptz;
  others_write boolean;
  is_turn boolean;
  rest_until timestamptz;
  governor imago.governor;
begin
  begin
    run := imago.lock_run(run_id, shared => true, wait_ms => imago.setting_number('lock_timeout_ms'));
  exception when sqlstate 'IM016' then
    return imago.work_answer(run_id, 'busy', '{}', '{}', started);
  end;
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  if run.state = 'running' then
    perform imago.expect_visible(run.plan);
    begin
      perform imago.follow_schema(run.plan);
    exception when lock_not_available or deadlock_detected then
      return imago.work_answer(run_id, 'busy', '{}', '{}', started);
    end;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  if run.state = 'running' then
    select a.* into others_write, is_turn, rest_until from imago.look_around(run) a;
    governor := imago.look(plan, run, holds_rows => false);
    if governor.share = 0 or imago.rate_wait_ms(run.plan) > 0 then
      return imago.held_answer(run, governor, others_write, started);
    elsif others_write and imago.setting_number('beside_app_percent') < 100 and (not is_turn or clock_timestamp() < rest_until) then
      return imago.resting_answer(run, rest_until, started);
    end if;
    deadline := imago.call_deadline((imago.call_budget(run, max_ms, others_write) * sqrt(governor.share))::integer);
    checks_deadline := imago.call_deadline((max_ms * sqrt(governor.share))::integer);
  end if;
  if run.state <> 'running' then
    outcome := imago.end_status(run);
  elsif imago.over_budget(run) then
    outcome := imago.stop_run(run, 'IM020');
  elsif run.direction = 'rollback' then
    indexing := imago.keep_late_triggers(run.plan);
    if indexing = 'none' then
      indexing := imago.build_indexes(run, run.started_at + make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0));
    end if;
    outcome := case indexing when 'deferred' then 'deferred' when 'indexing' then 'waiting' else 'working' end;
    if indexing = 'none' then
      perform imago.expect_indexes(run.plan);
    end if;
  else
    begin
      -- Whose table cannot be locked just now is moved all the same: what its triggers change is journaled beside.
      indexing := case imago.keep_late_triggers(run.plan) when 'built' then 'built' else 'none' end;
    exception when sqlstate 'IM073' then
      null;
    end;
  end if;

  -- Writers wait for what a rollback has built: they should not wait for what it takes back, too.
  while indexing = 'none' and outcome = 'working' and run.state = 'running' and attempts_left > 0
        and (totals = '{}' or imago.is_time_left(started, deadline)) loop
    if returned.token is null then
      lane := imago.claim_lane(run.id);
    end if;
    staged := imago.plan_at_stage(plan, coalesce(lane.stage, 1));
    if imago.close_needless_late_lanes(run, staged, lane) then
      continue;
    end if;
    if returned.token is not null then
      moves := imago.write_returned(run, plan, returned, deadline, attempts_left, is_quiet => not others_write, governor => governor);
    elsif lane.run is not null and staged.external and run.direction = 'forward' then
      outcome := 'external';
      exit;
    elsif lane.run is not null and not imago.claim_source(staged) then
      outcome := 'busy';
      exit;
    elsif lane.run is not null then
      moves := imago.work_lane(run, staged, lane, deadline, attempts_left, fixed_size, is_quiet => not others_write);
    elsif exists (select from imago.lane l where l.run = run.id and not l.done) then
      outcome := 'busy';
      exit;
    elsif totals <> '{}' and exists (select from imago.missing_indexes(run.plan) u where not u.is_small and not u.is_left) then
      -- What has been moved should not stay locked while an index is built that takes a moment.
      exit;
    else
      -- Checks hold no row: unless this call has moved some, they may take all of its time, though others write.
      moves := imago.finish_run(run, plan, deadline, attempts_left,
        case when coalesce((totals ->> 'moved')::bigint, 0) = 0 then checks_deadline end);
    end if;
    attempts_left := attempts_left - moves.attempts;
    rows := imago.add_counts(rows, moves.rows);
    totals := imago.add_counts(totals, jsonb_build_object(
      -- What the late pass only looks at has been counted by the main pass; and what has moved on disk is looked at twice.
      'processed', case when lane.pass = 'main' and not lane.by_block or lane.pass = 'late' and run.late_only then moves.resolved else moves.moved + moves.failed end,
      'moved', moves.moved, 'failed', moves.failed, 'sub_batches', moves.attempts));
    case moves.outcome
      when 'busy', 'deferred', 'done', 'failed' then outcome := moves.outcome;
      when 'indexing' then outcome := 'waiting';
      when 'claimed', 'external' then outcome := moves.outcome;
      when 'timeout', 'yield', 'rate', 'built' then exit;
      when 'incomplete' then
        perform imago.reopen_late_lanes(run.id);
        exit;
      when 'stop' then outcome := imago.stop_run(run, moves.error_code, moves.error_detail);
      when 'budget' then outcome := imago.stop_run(run, 'IM020');
      else null;
    end case;
    exit when returned.token is not null;
  end loop;

  if moves.outcome = 'rate' and (totals ->> 'sub_batches')::integer = 0 then
    -- Other callers hold all that max_per_second allows.
    return imago.held_answer(run, governor, others_write, started);
  end if;
  if outcome = 'working' and run.state = 'running' and returned.token is null and coalesce((totals ->> 'moved')::bigint + (totals ->> 'failed')::bigint, 0) = 0
     and indexing = 'none' and imago.stands_still(run) then
    outcome := imago.stop_run(run, 'IM065', array[run.plan, imago.setting_number('idle_calls')::text, imago.standstill_text(run, plan)]);
  end if;
  if run.state = 'running' then
    -- Once more, for it may have come before we touched a table; now that we have, nobody can change that.
    perform imago.expect_visible(run.plan);
  end if;
  -- The next call is to know by then what this one has written.
  perform pg_catalog.pg_stat_force_next_flush();
  return imago.work_answer(run_id, case outcome when 'claimed' then 'waiting' else outcome end, totals, rows, started)
    || imago.pause_fields(run, outcome, others_write, started)
    || case outcome
      when 'waiting' then imago.indexing_fields(run.plan)
      when 'claimed' then imago.claimed_fields(run)
      when 'external' then imago.external_fields(run, staged)
      else '{}' end
    || case when returned.token is null then '{}' else imago.returned_fields(returned) end;
end
$$;
comment on function imago.work_run(bigint, integer, integer, imago.returned) is 'One call''s worth of work on a run: takes free lanes and moves their entities, or writes what came back of a claim. Ends when the time budget is used, nothing is left, or the next stage is done outside.';
