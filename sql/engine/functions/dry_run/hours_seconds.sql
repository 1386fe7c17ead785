create or replace function imago.hours_seconds(throttle imago.throttle)
returns numeric
language sql
immutable
set search_path = ''
as $$
  select case when w.seconds > 0 then w.seconds else w.seconds + 86400 end
  from (select extract(epoch from throttle.hours_to - throttle.hours_from) as seconds) w
$$;
comment on function imago.hours_seconds(imago.throttle) is 'For how long a day runs may work; null where hours are not limited.';
