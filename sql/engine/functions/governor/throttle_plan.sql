create or replace function imago.throttle_plan(plan_name text, hours text, max_per_second integer, throttle_query text, ignore text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  throttle imago.throttle;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_writable();
  perform imago.expect_throttle(max_per_second, ignore);
  perform imago.expect_throttle_query(throttle_query);
  select t.* into throttle from imago.throttle t where t.plan = plan_name for update;
  throttle := imago.set_hours(throttle, hours);
  throttle.max_per_second := nullif(coalesce(max_per_second, throttle.max_per_second), 0);
  throttle.throttle_query := nullif(coalesce(throttle_query, throttle.throttle_query), '');
  throttle.ignored := coalesce(ignore, throttle.ignored, '{}');
  insert into imago.throttle (plan, hours_from, hours_to, time_zone, max_per_second, throttle_query, ignored, set_by)
  values (plan_name, throttle.hours_from, throttle.hours_to, throttle.time_zone, throttle.max_per_second, throttle.throttle_query,
    throttle.ignored, imago.caller_name())
  on conflict (plan) do update set
    hours_from = excluded.hours_from, hours_to = excluded.hours_to, time_zone = excluded.time_zone, max_per_second = excluded.max_per_second,
    throttle_query = excluded.throttle_query, ignored = excluded.ignored, set_by = excluded.set_by, set_at = clock_timestamp();
  insert into imago.allowance (plan, slot)
  select plan_name, n from generate_series(1, 32) n where throttle.max_per_second is not null
  on conflict do nothing;
  select t.* into throttle from imago.throttle t where t.plan = plan_name;
  perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, 'info', 'throttled', imago.throttle_fields(throttle) - 'set_at');
  return imago.throttle_fields(throttle) || jsonb_build_object('plan', plan_name);
end
$$;
comment on function imago.throttle_plan(text, text, integer, text, text[]) is 'Sets when and how fast the runs of a plan may work, and logs who has. Null leaves a limit as it is.';
