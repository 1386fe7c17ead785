create or replace function imago.decide(governor imago.governor, readings imago.reading[])
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  reading imago.reading;
  -- Only ending the call frees who waits for it: that is no reason to hold the run.
  worst integer := 0;
  least_share numeric;
  is_fine boolean;
begin
  governor.level := 0;
  foreach reading in array readings loop
    continue when reading.level = 0;
    governor.level := greatest(governor.level, reading.level);
    worst := greatest(worst, case when reading.signal <> 'waiters' then reading.level end);
    least_share := least(least_share, (select s.least_share from imago.signal s where s.name = reading.signal));
  end loop;
  is_fine := worst < 2 and (governor.held_since is null or not exists (
    select from imago.reading h join unnest(readings) r on r.signal = h.signal and r.name = h.name
    where h.plan = governor.plan and h.holds and r.slow_looks > 0));
  governor.fine_looks := case when is_fine then governor.fine_looks + 1 else 0 end;
  governor.fine_since := case when worst < 2 then coalesce(governor.fine_since, now) end;
  if worst >= 2 then
    if governor.held_since is null then
      governor.backoff_ms := case
        when governor.released_at > now - interval '30 s' then least(600000, 2 * governor.backoff_ms) else imago.setting_number('backoff_ms') end;
      governor.held_until := now + make_interval(secs => governor.backoff_ms / 1000.0);
      governor.held_since := now;
    end if;
    governor.share := 0;
  elsif governor.held_since is not null
        and (now < governor.held_until
             -- Below where it was held, but not fine, it goes on after half a minute: it may stay so for long.
             or not (governor.fine_looks >= 3 or is_fine and governor.fine_since < now - interval '10 s' or governor.fine_since < now - interval '30 s')) then
    governor.share := 0;
  else
    if governor.held_since is not null then
      governor.released_at := now;
    end if;
    governor.held_since := null;
    governor.held_until := null;
    governor.share := case
      when governor.level > 0 then greatest(least_share, governor.share * 0.5)
      else least(1, governor.share + 0.1) end;
  end if;
  return governor;
end
$$;
comment on function imago.decide(imago.governor, imago.reading[]) is 'The share that follows from a look. Half as much while something is slow, none while something holds, a tenth more each time that all is fine.';
