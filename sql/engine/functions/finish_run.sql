create or replace function imago.finish_run(run imago.run, plan imago.plan, deadline timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  todo text[];
  moves imago.moves;
  left_aside bigint;
begin
  -- The first late lane is the lease of the end: one caller at a time.
  select l.* into lane from imago.lane l where l.run = run.id and l.pass = 'late' and l.number = 1 for update skip locked;
  if not found then
    return 'busy';
  end if;
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = run.id and l.pass = 'late' and l.number = 1;
  end if;
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan)
     and clock_timestamp() < lane.waits_since + make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0) then
    return 'deferred';
  end if;

  todo := imago.left_over(run, plan, 1000);
  if todo <> '{}' then
    moves := imago.move_keys(run, plan, todo, 'finish', 1000, deadline, 10, lane.deferrals);
    update imago.lane l set
      moved = l.moved + moves.moved, failed = l.failed + moves.failed, processed = l.processed + moves.moved,
      deferrals = case moves.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
    where l.run = run.id and l.pass = 'late' and l.number = 1;
    return case moves.outcome
      when 'stop' then imago.stop_run(run, 'IM021', moves.sqlstate)
      when 'budget' then imago.stop_run(run, 'IM020', null)
      when 'deferred' then 'deferred'
      else 'working'
    end;
  end if;

  if run.direction = 'rollback' and not imago.remove_capture(plan) then
    return 'deferred';
  end if;
  select count(distinct f.entity) into left_aside
  from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.kind <> 'held';
  begin
    if left_aside > 0 then
      perform imago.transit(run.id, 'fail', format('%s entities set aside', left_aside), 'set_aside');
    else
      perform imago.transit(run.id, 'succeed');
    end if;
  exception when sqlstate 'IM016' then
    return 'busy';
  end;
  return 'done';
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz) is 'Ends a run whose lanes are done: waits for writers in flight (bounded), proves that nothing is left and moves what is, then succeeds or fails.';
