create or replace function imago.slot_problems(plan imago.plan, forecast imago.forecast, throttle imago.throttle)
returns setof imago.forecast_problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  lag_s constant numeric := imago.setting_number('reader_lag_s');
  signal imago.signal := (select s from imago.signal s where s.name = 'slot');
  slot record;
  written numeric;
  wanted_mb bigint;
  problem imago.forecast_problem;
begin
  for slot in
    select s.*, a.active from unnest(imago.read_slots()) s join pg_catalog.pg_replication_slots a on a.slot_name = s.name order by s.name
  loop
    -- What is read is let go of: all that counts is what is written while the reader is behind.
    written := case when slot.active then least(forecast.wal_bytes, forecast.wal_per_second * lag_s) else forecast.wal_bytes end;
    problem := row(imago.foreseen_severity('slot', throttle, slot.value + written, slot.capacity), 'slot', slot.name,
      greatest(0, signal.hold / 100 * slot.capacity - slot.value), written, null, null, null);
    continue when problem.severity is null;
    if slot.active then
      problem.max_per_second := coalesce(
        imago.bounding_rate((signal.slow / 100 * slot.capacity - slot.value) / nullif(lag_s, 0), forecast.entity_wal),
        imago.bounding_rate(problem.room / nullif(lag_s, 0), forecast.entity_wal));
      problem.message := format('While the reader of slot %s is %s s behind, the run writes %s; the slot keeps %s', slot.name, lag_s,
        imago.amount_text('bytes', written, null), imago.amount_text('bytes', slot.value, slot.capacity));
      problem.remedy := case
        when problem.max_per_second is null then 'Wait until its reader has caught up.'
        else format('select throttle_migration(%L, max_per_second => %s);', plan.name, problem.max_per_second) end;
    else
      wanted_mb := ceil(1.25 * (slot.value + written) / signal.slow * 100 / 1048576) + 1;
      problem.message := format('Nobody reads slot %s, and the run writes %s; the slot keeps %s', slot.name,
        imago.amount_text('bytes', written, null), imago.amount_text('bytes', slot.value, slot.capacity));
      problem.remedy := format('Start what reads it, or drop it: select pg_drop_replication_slot(%L); or let it keep more: %s', slot.name,
        case when pg_catalog.pg_size_bytes(current_setting('max_slot_wal_keep_size')) > 0
          then format('max_slot_wal_keep_size = ''%sMB''', wanted_mb)
          else format('update imago.setting set value = ''%s'' where name = ''slot_mb'';', wanted_mb) end);
    end if;
    return next problem;
  end loop;
end
$$;
comment on function imago.slot_problems(imago.plan, imago.forecast, imago.throttle) is 'Replication slots that would keep more than they may. Those that nobody reads by all that is written, the others by the rate.';
