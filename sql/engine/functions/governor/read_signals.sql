create or replace function imago.read_signals(
  signals imago.signal[],
  plan imago.plan,
  run imago.run,
  governor imago.governor,
  throttle imago.throttle,
  known imago.reading[]
)
returns imago.reading[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  began constant timestamptz := clock_timestamp();
  is_dear constant boolean := signals[1].every_ms is not null;
  measured imago.measurement;
  measurements imago.measurement[];
  failed_with text;
  signal imago.signal;
  reading imago.reading;
  result imago.reading[] := '{}';
begin
  begin
    measurements := imago.read_source(signals[1].source, plan, run, governor, throttle);
  exception when others then
    failed_with := sqlstate;
    -- What fails closed says it for the others of its source.
    measurements := array(
      select row(s.name, '', null, null)::imago.measurement from unnest(signals) s
      where s.fails_closed or not exists (select from unnest(signals) o where o.fails_closed));
  end;
  foreach measured in array measurements loop
    select s.* into signal from unnest(signals) s where s.name = measured.signal;
    continue when not found;
    reading := imago.judge(
      signal, row(plan.name, measured.signal, measured.name, 0, measured.value, measured.capacity, failed_with, 0, 0, false, null, 0, null, null)::imago.reading,
      imago.reading_of(known, measured.signal, measured.name), run, governor);
    if is_dear then
      reading.read_at := began;
      reading.took_ms := round(1000 * extract(epoch from clock_timestamp() - began), 3);
    end if;
    result := result || reading;
  end loop;
  return result;
end
$$;
comment on function imago.read_signals(imago.signal[], imago.plan, imago.run, imago.governor, imago.throttle, imago.reading[]) is 'Reads the source of these signals, and judges what is there. Where it cannot be read, that is what they say.';
