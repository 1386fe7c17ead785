create or replace function imago.hours_text(throttle imago.throttle)
returns text
language sql
immutable
set search_path = ''
as $$
  select to_char('epoch'::timestamp + throttle.hours_from, 'HH24:MI') || '-' || to_char('epoch'::timestamp + throttle.hours_to, 'HH24:MI') || ' ' || throttle.time_zone
$$;
comment on function imago.hours_text(imago.throttle) is 'The hours of a throttle as throttle_migration takes them: 22:00-06:00 Europe/Berlin.';
