create or replace function imago.judge(signal imago.signal, reading imago.reading, before imago.reading, run imago.run, governor imago.governor)
returns imago.reading
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  raw integer := case
    when reading.sqlstate is null then imago.raw_level(signal, reading.value, reading.capacity)
    when not signal.fails_closed then 0
    -- What cannot be seen is not taken to be fine for long.
    when before.sqlstate is not null and before.since < now - interval '15 s' then 2
    else 1
  end;
begin
  reading.held_ms := coalesce(before.held_ms, 0);
  reading.slow_looks := case when raw >= 1 then coalesce(before.slow_looks, 0) + 1 else 0 end;
  reading.hold_looks := case when raw >= 2 then coalesce(before.hold_looks, 0) + 1 else 0 end;
  reading.level := case
    when raw >= 2 and (reading.hold_looks >= signal.hold_looks or reading.sqlstate is not null) then case signal.name when 'waiters' then 3 else 2 end
    when raw >= 1 and reading.slow_looks >= signal.slow_looks then 1
    else 0
  end;
  if reading.level > 0 and signal.beside_app and not imago.is_beside_app(run, governor) then
    reading.level := 0;
  end if;
  reading.since := case
    when raw > 0 or reading.sqlstate is not null or reading.value >= signal.tell then least(before.since, now)
  end;
  return reading;
end
$$;
comment on function imago.judge(imago.signal, imago.reading, imago.reading, imago.run, imago.governor) is 'What a reading counts as, given the one of the look before: its level, and since when something is wrong.';
