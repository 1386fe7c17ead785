create or replace function imago.foreseen_severity(signal_name text, throttle imago.throttle, value numeric, capacity numeric)
returns text
language sql
stable
set search_path = ''
as $$
  select case imago.raw_level(s, value, capacity) when 2 then 'error' when 1 then 'warning' end
  from imago.signal s
  where s.name = signal_name and s.name <> all (coalesce(throttle.ignored, '{}'))
$$;
comment on function imago.foreseen_severity(text, imago.throttle, numeric, numeric) is 'What the governor would make of a value: error where it would hold the run, warning where it would slow it. Null where all is fine, or the signal is ignored.';
