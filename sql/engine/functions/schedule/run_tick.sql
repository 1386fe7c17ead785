create or replace function imago.run_tick(plan_name text, finalize boolean default false)
returns double precision
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer constant jsonb := imago.tick(plan_name, finalize);
  seconds constant double precision := (answer ->> 'retry_after_ms')::integer / 1000.0;
  -- The statement is the whole job, whatever it has committed.
  ends constant timestamptz := statement_timestamp() + make_interval(secs => imago.ticks_budget(plan_name) / 1000.0);
begin
  return case when imago.goes_on_at_once(answer) and clock_timestamp() + make_interval(secs => seconds) < ends then seconds end;
end
$$;
comment on function imago.run_tick(text, boolean) is 'One tick of a pg_cron job. Seconds until the next one of the same job; null when it has done enough.';
