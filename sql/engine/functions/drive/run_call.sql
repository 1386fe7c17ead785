create or replace function imago.run_call(
  plan_name text,
  direction text,
  seconds integer,
  batch_size integer,
  force boolean,
  out answer jsonb,
  out pause double precision
)
returns record
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- The whole of imago.run is one statement: its timeout must not fall into a batch.
  ends constant timestamptz := least(statement_timestamp() + make_interval(secs => seconds),
    case when current_setting('statement_timeout')::interval > interval '0' then statement_timestamp() + 0.6 * current_setting('statement_timeout')::interval end);
begin
  if direction is null or direction not in ('forward', 'rollback') then
    perform imago.raise_error('IM015', 'direction', coalesce(direction, 'null'), 'forward or rollback');
  end if;
  answer := case direction
    when 'forward' then imago.migrate(plan_name, 2000, batch_size)
    else imago.roll_back(plan_name, 2000, force) end;
  if not (answer ->> 'has_more')::boolean or answer ->> 'status' in ('failed', 'paused', 'cancelled', 'external') or clock_timestamp() >= ends then
    return;
  end if;
  -- Unlike a tick it waits out what holds the run: somebody is watching it.
  pause := least((answer ->> 'retry_after_ms')::integer / 1000.0, coalesce(extract(epoch from ends - clock_timestamp()), 3600));
end
$$;
comment on function imago.run_call(text, text, integer, integer, boolean) is 'One batch of imago.run. What it answered, and seconds until the next one; null when there is none.';
