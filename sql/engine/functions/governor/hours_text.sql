create or replace function imago.hours_text(throttle imago.throttle)
returns text
language sql
immutable
set search_path = ''
as $$
  select left(throttle.hours_from::text, 5) || '-' || left(throttle.hours_to::text, 5) || ' ' || throttle.time_zone
$$;
comment on function imago.hours_text(imago.throttle) is 'The hours of a throttle as throttle_migration takes them: 22:00-06:00 Europe/Berlin.';
