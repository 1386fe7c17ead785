create or replace function imago.forecast(plan imago.plan, stages jsonb, workers integer default 1)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  throttle imago.throttle;
  amounts imago.forecast;
  ahead record;
  problems jsonb;
begin
  select t.* into throttle from imago.throttle t where t.plan = forecast.plan.name;
  amounts := imago.forecast_amounts(plan, stages, workers, throttle.max_per_second);
  select * into ahead from imago.hours_ahead(throttle, amounts.seconds, clock_timestamp());
  select coalesce(jsonb_agg(to_jsonb(p) order by p.severity, s.position, p.name), '[]') into problems
  from (
    select * from imago.slot_problems(plan, amounts, throttle)
    union all select * from imago.disk_problems(amounts, throttle)
    union all select * from imago.rate_problems(plan, amounts, throttle)
    union all select * from imago.hours_problems(amounts, throttle)
  ) p
  join imago.signal s on s.name = p.signal;
  return jsonb_build_object(
    'entities', amounts.entities, 'is_estimate', amounts.is_estimate, 'workers', workers,
    'wal_bytes', round(amounts.wal_bytes), 'wal_bytes_least', round(amounts.wal_bytes_least),
    'journal_bytes', round(amounts.journal_bytes), 'table_bytes', round(amounts.table_bytes), 'dead_rows', amounts.dead_rows,
    'seconds', ceil(amounts.seconds), 'wal_bytes_per_second', round(amounts.wal_per_second),
    'max_per_second', throttle.max_per_second, 'windows', ahead.windows, 'ends_at', ahead.ends_at,
    'unknown_stages', to_jsonb(amounts.unknown_stages), 'problems', problems,
    'not_known', (
      select coalesce(jsonb_agg(n.name order by n.name), '[]')
      from (values ('disk_mb'), ('wal_mb_per_s')) n(name) where imago.setting_size(n.name) is null));
end
$$;
comment on function imago.forecast(imago.plan, jsonb, integer) is 'What a whole run will write, in how long, and what does not fit that, given what a dry run says of each stage.';
