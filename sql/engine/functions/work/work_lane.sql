create or replace function imago.work_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  deadline timestamptz,
  attempts_left integer,
  fixed_size integer,
  is_quiet boolean
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  total imago.moves;
  moves imago.moves;
  ahead record;
  portion imago.lane;
  written bigint := imago.writes_counted(run.plan, own => true);
  started timestamptz;
  lsn pg_lsn;
  governor imago.governor;
  claim imago.claim;
  -- A session reads the catalogue and plans all statements in its first sub-batch of a way, at any size.
  warm constant text := plan.name || ':' || run.direction;
  cold_start interval := case when current_setting('imago.warm', true) is distinct from warm then interval '300 ms' else '0' end;
  took interval;
begin
  total := row('time', 0, 0, 0, 0, 0, null, '{}', null, null);
  if lane.pass = 'main' and lane.processed = 0 and lane.cursor_key is null and lane.deferrals = 0 then
    select coalesce(f.batch_size, lane.batch_size), f.entity_ms, f.entity_wal into lane.batch_size, lane.entity_ms, lane.entity_wal from imago.first_size(lane) f;
  end if;
  while not lane.done and total.attempts < attempts_left and (total.attempts = 0 or imago.is_time_left(started, deadline)) loop
    governor := imago.look(plan, run, holds_rows => true);
    if total.attempts > 0 and (governor.share = 0 or imago.is_waited_for()) then
      total.outcome := 'yield';
      exit;
    end if;
    started := clock_timestamp();
    lsn := pg_current_wal_insert_lsn();
    lane.batch_size := least(lane.batch_size, coalesce(fixed_size, 10000));
    portion := lane;
    portion.batch_size := imago.bounded_size(
      case when fixed_size is null then imago.fitting_size(lane, deadline, is_quiet) else lane.batch_size end, lane, governor);
    claim := imago.claim_allowance(run.plan, portion.batch_size);
    if claim.entities = 0 then
      total.outcome := 'rate';
      exit;
    end if;
    portion.batch_size := claim.entities;
    ahead := imago.read_lane(run, plan, portion);
    if ahead.outcome is not null then
      total.outcome := ahead.outcome;
      total.sqlstate := (ahead.error).sqlstate;
      total.error_code := (ahead.error).error_code;
      total.error_detail := (ahead.error).error_detail;
      if ahead.outcome = 'timeout' then
        lane.batch_size := imago.size_after_timeout(lane.batch_size);
      end if;
      exit;
    end if;
    if ahead.keys is null then
      lane.done := true;
      exit;
    end if;

    moves := imago.move_keys(run, plan, ahead.todo, lane.pass, portion.batch_size, deadline, attempts_left - total.attempts, lane.deferrals);
    perform imago.spend_allowance(run.plan, claim, moves.moved + moves.failed);
    total.attempts := total.attempts + greatest(1, moves.attempts);
    total.moved := total.moved + moves.moved;
    total.failed := total.failed + moves.failed;
    total.rows := imago.add_counts(total.rows, moves.rows);
    total.sqlstate := moves.sqlstate;
    total.error_code := moves.error_code;
    total.error_detail := moves.error_detail;
    if moves.outcome = 'done' then
      lane.cursor_key := ahead.places[cardinality(ahead.places)];
      total.resolved := total.resolved + cardinality(ahead.keys);
      lane.processed := lane.processed + cardinality(ahead.keys);
      lane.deferrals := 0;
      lane.entity_wal := greatest((pg_current_wal_insert_lsn() - lsn) / greatest(1, ahead.rows), lane.entity_wal / 2);
      took := clock_timestamp() - started - cold_start;
      cold_start := '0';
      perform set_config('imago.warm', warm, false);
      -- The rest of a lane says nothing about the size that fits the next one; nor does what a cold session takes anyway.
      if ahead.rows >= portion.batch_size and took > interval '0' then
        lane.entity_ms := (coalesce(lane.entity_ms, taken.ms) + taken.ms) / 2 from imago.entity_ms(took, ahead.rows) taken(ms);
        -- What a look has bounded says nothing about the size that the time has room for.
        lane.batch_size := greatest(
          imago.next_size(ahead.rows::integer, took, fixed_size),
          case when portion.batch_size < lane.batch_size and moves.attempts = 1 then lane.batch_size end);
      end if;
    else
      if moves.resolved > 0 then
        lane.processed := lane.processed + array_position(ahead.keys, ahead.todo[moves.resolved]);
        total.resolved := total.resolved + array_position(ahead.keys, ahead.todo[moves.resolved]);
        lane.cursor_key := ahead.places[array_position(ahead.keys, ahead.todo[moves.resolved])];
      end if;
      lane.batch_size := moves.next_size;
      lane.deferrals := case when moves.outcome = 'deferred' then lane.deferrals + 1 else lane.deferrals end;
      total.outcome := moves.outcome;
      exit;
    end if;
  end loop;

  lane.written := lane.written + imago.writes_counted(run.plan, own => true) - written;
  perform imago.save_lane(lane, run.plan, total);
  return total;
end
$$;
comment on function imago.work_lane(imago.run, imago.plan, imago.lane, timestamptz, integer, integer, boolean) is 'Works one lane, whose row the caller holds, until its end or the end of the call''s budget, and moves its cursor.';
