create or replace function imago.is_open(throttle imago.throttle, at timestamptz)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select case
    when throttle.hours_from is null then true
    when throttle.hours_from <= throttle.hours_to then l.clock >= throttle.hours_from and l.clock < throttle.hours_to
    else l.clock >= throttle.hours_from or l.clock < throttle.hours_to
  end
  from (select (at at time zone coalesce(throttle.time_zone, 'UTC'))::time as clock) l
$$;
comment on function imago.is_open(imago.throttle, timestamptz) is 'Whether a moment lies within the hours in which runs may work. Hours may go past midnight.';
