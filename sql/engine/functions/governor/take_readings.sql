create or replace function imago.take_readings(plan imago.plan, run imago.run, governor imago.governor)
returns imago.reading[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  signal imago.signal;
  throttle imago.throttle;
  found_value record;
  reading imago.reading;
  before imago.reading;
  is_beside_app boolean;
  result imago.reading[] := '{}';
begin
  -- What others do is frozen for the whole transaction otherwise.
  perform pg_catalog.pg_stat_clear_snapshot();
  select t.* into throttle from imago.throttle t where t.plan = governor.plan;
  is_beside_app := imago.is_beside_app(governor.plan, run);
  for signal in
    select s.* from imago.signal s where s.name <> all (coalesce(throttle.ignored, '{}')) order by s.position
  loop
    begin
      for found_value in select v.name, v.value, v.capacity from imago.read_signal(signal.name, plan, run, governor, throttle) v loop
        reading := row(governor.plan, signal.name, found_value.name, 0, found_value.value, found_value.capacity, null, 0, 0, false, null, 0);
        select r.* into before from imago.reading r where r.plan = governor.plan and r.signal = signal.name and r.name = reading.name;
        result := result || imago.judge(signal, reading, before, is_beside_app);
      end loop;
    exception when others then
      reading := row(governor.plan, signal.name, '', 0, null, null, sqlstate, 0, 0, false, null, 0);
      select r.* into before from imago.reading r where r.plan = governor.plan and r.signal = signal.name and r.name = '';
      result := result || imago.judge(signal, reading, before, is_beside_app);
    end;
  end loop;
  return result;
end
$$;
comment on function imago.take_readings(imago.plan, imago.run, imago.governor) is 'Reads all signals that are not ignored. Changes nothing.';
