create or replace function imago.hours_problems(forecast imago.forecast, throttle imago.throttle)
returns setof imago.forecast_problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  ahead record;
begin
  select * into ahead from imago.hours_ahead(throttle, forecast.seconds, clock_timestamp());
  if ahead.windows > 1 then
    return next row('warning', 'hours', imago.hours_text(throttle), imago.hours_seconds(throttle), round(forecast.seconds), null,
      format('The run works on %s days, %s, until %s', ahead.windows, imago.hours_text(throttle),
        to_char(ahead.ends_at at time zone throttle.time_zone, 'YYYY-MM-DD HH24:MI')),
      'Give it more hours, or more workers.')::imago.forecast_problem;
  end if;
end
$$;
comment on function imago.hours_problems(imago.forecast, imago.throttle) is 'Whether a run needs more than one window of its hours.';
