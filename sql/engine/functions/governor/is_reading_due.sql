create or replace function imago.is_reading_due(reading imago.reading, every_ms integer)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  -- What could not be read is tried again as soon as that does not take a twentieth of the time.
  rest_ms constant numeric := greatest(case when reading.sqlstate is null then every_ms else 0 end, 20 * reading.took_ms);
begin
  return reading.read_at is null or reading.read_at > now or reading.read_at <= now - make_interval(secs => rest_ms / 1000.0);
end
$$;
comment on function imago.is_reading_due(imago.reading, integer) is 'Whether what is dear to read is to be read again.';
