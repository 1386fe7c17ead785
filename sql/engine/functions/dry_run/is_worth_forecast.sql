create or replace function imago.is_worth_forecast(plan imago.plan)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  throttle imago.throttle;
  room numeric;
begin
  if (select sum(imago.estimated_rows(s.source)) from imago.plan_stages(plan) s) >= imago.setting_number('forecast_entities') then
    return true;
  end if;
  select t.* into throttle from imago.throttle t where t.plan = is_worth_forecast.plan.name;
  select min(greatest(0, r.room)) into room
  from (
    select 'slot' as signal, v.value, v.capacity, (select s.slow / 100 * v.capacity from imago.signal s where s.name = 'slot') - v.value as room from unnest(imago.read_slots()) v
    union all
    select 'disk', v.value, v.capacity, (select s.slow / 100 * v.capacity from imago.signal s where s.name = 'disk') - v.value from unnest(imago.read_disk()) v
    union all
    -- Who writes for less than a minute is past before it matters.
    select 'wal', null, null, 60 * 1048576 * imago.setting_size('wal_mb_per_s')
  ) r
  where r.room is not null and r.signal <> all (coalesce(throttle.ignored, '{}'));
  -- Ten times what there is: log, journal, new rows and dead ones together seldom come to half of that.
  return coalesce(room < 10 * (select sum(s.bytes) from imago.relation_sizes(plan) s), false);
end
$$;
comment on function imago.is_worth_forecast(imago.plan) is 'Whether a run may be too large for something, so that measuring is worth its time. Reads statistics and sizes only.';
