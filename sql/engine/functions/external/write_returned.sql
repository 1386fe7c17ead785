create or replace function imago.write_returned(
  run imago.run,
  plan imago.plan,
  returned imago.returned,
  deadline timestamptz,
  attempts_left integer,
  is_quiet boolean,
  governor imago.governor
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  named constant jsonb := returned.results || returned.failures;
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}', null, null);
  lane imago.lane;
  staged imago.plan;
  given text[];
  unchanged text[];
  aside text[];
  todo text[];
  rows jsonb;
  again bigint;
  written_before bigint;
  started timestamptz;
  lsn pg_lsn;
begin
  begin
    -- The lane before the entities, as any call that moves them. Who hands out of it just now is waited for, with nothing else locked.
    select l.* into lane
    from imago.lane l
    where l.run = write_returned.run.id and (l.stage, l.pass, l.number) = (
      select c.stage, c.lane_pass, c.lane_number from imago.claimed_entity c
      where c.token = returned.token and c.run = write_returned.run.id
      limit 1)
    for no key update;
  exception when lock_not_available or deadlock_detected then
    result.outcome := 'busy';
    return result;
  end;
  if lane.run is null then
    return result;
  end if;
  staged := imago.plan_at_stage(plan, lane.stage);
  if not imago.claim_source(staged) then
    result.outcome := 'busy';
    return result;
  end if;
  -- Given back as it was: that counts for nothing.
  update imago.claimed_entity c set token = null, claims = c.claims - 1
  where c.token = returned.token and not named ? c.entity;
  -- Entities that are being handed to another driver just now are locked by it.
  select coalesce(array_agg(c.entity order by c.entity), '{}') into given
  from (select l.entity from imago.claimed_entity l where l.token = returned.token for update skip locked) c;

  begin
    rows := imago.read_rows(run, staged, imago.lock_entities(staged, given));
  exception when lock_not_available or deadlock_detected then
    -- An entity that somebody has locked is handed out again: it may be another row by then.
    rows := imago.read_rows(run, staged, imago.lock_entities(staged, given, true));
  end;
  select coalesce(array_agg(c.entity order by c.entity), '{}') into unchanged
  from imago.claimed_entity c
  where c.token = returned.token and c.entity = any (given) and c.row_hash = imago.row_hash(rows -> c.entity);
  update imago.claimed_entity c set token = null
  where c.token = returned.token and c.entity = any (given) and c.entity <> all (unchanged);
  get diagnostics again = row_count;
  if again > 0 then
    perform imago.write_log(run.plan, run.id, 'info', 'changed_meanwhile', jsonb_build_object('count', again) || imago.stage_label(staged.stage));
  end if;

  select coalesce(array_agg(k) filter (where returned.failures ? k), '{}'), coalesce(array_agg(k order by n) filter (where not returned.failures ? k), '{}')
    into aside, todo
  from unnest(unchanged) with ordinality u(k, n);
  -- Codes and names only, whatever the function outside says.
  perform imago.set_aside(run, k, 'failed',
    column_name => substring(returned.failures #>> array[k, 'field'] from '^[A-Za-z0-9_.-]{1,100}$'),
    reason => 'outside: ' || coalesce(substring(returned.failures #>> array[k, 'code'] from '^[A-Za-z0-9_.-]{1,60}$'), 'error'),
    stage => staged.stage)
  from unnest(aside) k;
  delete from imago.claimed_entity c where c.token = returned.token and c.entity = any (aside);

  written_before := imago.writes_counted(run.plan, own => true);
  started := clock_timestamp();
  lsn := pg_current_wal_insert_lsn();
  if todo <> '{}' then
    result := imago.move_keys(run, staged, todo, 'external', imago.bounded_size(imago.fitting_size(lane, deadline, is_quiet), lane, governor),
      deadline, attempts_left, lane.deferrals, results => returned.results);
    delete from imago.claimed_entity c where c.token = returned.token and c.entity = any (todo[1:result.resolved]);
    if result.outcome = 'done' then
      result.outcome := 'working';
      lane.entity_ms := (coalesce(lane.entity_ms, taken.ms) + taken.ms) / 2 from imago.entity_ms(clock_timestamp() - started, cardinality(todo)) taken(ms);
      lane.entity_wal := greatest((pg_current_wal_insert_lsn() - lsn) / cardinality(todo), lane.entity_wal / 2);
    end if;
  end if;
  result.failed := result.failed + cardinality(aside);
  update imago.lane l set
    moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.resolved + cardinality(aside),
    deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end,
    entity_ms = lane.entity_ms, entity_wal = lane.entity_wal, written = l.written + imago.writes_counted(run.plan, own => true) - written_before,
    updated_at = clock_timestamp()
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.number = lane.number;
  if result.outcome in ('working', 'time') and imago.over_budget(run) then
    result.outcome := 'budget';
  end if;
  return result;
end
$$;
comment on function imago.write_returned(imago.run, imago.plan, imago.returned, timestamptz, integer, boolean, imago.governor) is 'Writes what came back of a claim, as any batch is written: journaled, proved, halved down to what fails. Locks the entities first. Handed out again are entities whose row is not the one that was handed out, that somebody has locked, or that were not named. Entities that failed outside are set aside, by code and field.';
