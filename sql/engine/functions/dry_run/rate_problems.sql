create or replace function imago.rate_problems(plan imago.plan, forecast imago.forecast, throttle imago.throttle)
returns setof imago.forecast_problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  capacity constant numeric := 1048576 * imago.setting_size('wal_mb_per_s');
  severity constant text := imago.foreseen_severity('wal', throttle, forecast.wal_per_second, capacity);
  rate integer;
begin
  if severity is null then
    return;
  end if;
  rate := imago.bounding_rate((select s.slow / 100 * capacity from imago.signal s where s.name = 'wal'), forecast.entity_wal);
  return next row(severity, 'wal', '', capacity, forecast.wal_per_second, rate,
    format('The run writes %s of write-ahead log a second; the disk takes %s', imago.amount_text('bytes', forecast.wal_per_second, null),
      imago.amount_text('bytes', capacity, null)),
    case when rate is not null then format('select throttle_migration(%L, max_per_second => %s);', plan.name, rate) end)::imago.forecast_problem;
end
$$;
comment on function imago.rate_problems(imago.plan, imago.forecast, imago.throttle) is 'Whether the disk can take what a run writes in a second, where wal_mb_per_s says what it takes.';
