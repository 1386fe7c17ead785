create or replace function imago.work_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  deadline timestamptz,
  attempts_left integer,
  fixed_size integer
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  total imago.moves;
  moves imago.moves;
  keys text[];
  places text[];
  rows bigint;
  todo text[];
  started timestamptz;
begin
  total := row('time', 0, 0, 0, 0, 0, null, '{}');
  if lane.pass = 'main' and lane.processed = 0 and lane.cursor_key is null and lane.deferrals = 0 then
    lane.batch_size := imago.first_size(lane);
  end if;
  while not lane.done and total.attempts < attempts_left and (clock_timestamp() < deadline or total.attempts = 0) loop
    if total.attempts > 0 and imago.transition_waits(run.id) then
      total.outcome := 'yield';
      exit;
    end if;
    started := clock_timestamp();
    lane.batch_size := least(lane.batch_size, coalesce(fixed_size, 10000));
    begin
      select n.keys, n.places, n.rows into keys, places, rows from imago.next_rows(run, plan, lane) n;
      todo := imago.movable_keys(run, plan, lane, keys);
    exception
      when query_canceled then
        -- A size of one that does not fit cannot be made smaller: the caller has to know.
        if not imago.timed_out() or lane.batch_size = 1 then
          raise;
        end if;
        lane.batch_size := greatest(1, lane.batch_size / 4);
        total.outcome := 'timeout';
        exit;
      when syntax_error_or_access_rule_violation then
        total.outcome := 'stop';
        total.sqlstate := sqlstate;
        exit;
    end;
    if keys is null then
      lane.done := true;
      exit;
    end if;

    moves := imago.move_keys(run, plan, todo, lane.pass, lane.batch_size, deadline, attempts_left - total.attempts, lane.deferrals);
    total.attempts := total.attempts + greatest(1, moves.attempts);
    total.moved := total.moved + moves.moved;
    total.failed := total.failed + moves.failed;
    total.rows := imago.add_counts(total.rows, moves.rows);
    total.sqlstate := moves.sqlstate;
    if moves.outcome = 'done' then
      lane.cursor_key := places[cardinality(places)];
      total.resolved := total.resolved + cardinality(keys);
      lane.processed := lane.processed + cardinality(keys);
      lane.deferrals := 0;
      -- The rest of a lane says nothing about the size that fits the next one.
      if rows >= lane.batch_size then
        lane.batch_size := imago.next_size(rows::integer, clock_timestamp() - started, fixed_size);
      end if;
    else
      if moves.resolved > 0 then
        lane.processed := lane.processed + array_position(keys, todo[moves.resolved]);
        total.resolved := total.resolved + array_position(keys, todo[moves.resolved]);
        lane.cursor_key := places[array_position(keys, todo[moves.resolved])];
      end if;
      lane.batch_size := moves.next_size;
      lane.deferrals := case when moves.outcome = 'deferred' then lane.deferrals + 1 else lane.deferrals end;
      total.outcome := moves.outcome;
      exit;
    end if;
  end loop;

  update imago.lane l set
    cursor_key = lane.cursor_key, batch_size = lane.batch_size, processed = lane.processed, moved = l.moved + total.moved,
    failed = l.failed + total.failed, deferrals = lane.deferrals, done = lane.done, updated_at = clock_timestamp()
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.number = lane.number;
  if total.outcome in ('timeout', 'deferred') then
    perform imago.write_log(run.plan, run.id, 'warning', total.outcome,
      jsonb_build_object('lane', lane.number, 'pass', lane.pass, 'batch_size', lane.batch_size, 'deferrals', lane.deferrals)
        || imago.stage_detail(lane.stage),
      null, coalesce(total.sqlstate, '57014'));
  end if;
  return total;
end
$$;
comment on function imago.work_lane(imago.run, imago.plan, imago.lane, timestamptz, integer, integer) is 'Works one lane, whose row the caller holds, until its end or the end of the call''s budget, and moves its cursor.';
