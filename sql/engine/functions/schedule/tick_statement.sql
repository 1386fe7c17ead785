create or replace function imago.tick_statement(plan_name text, finalize boolean)
returns text
language sql
immutable
set search_path = ''
as $$
  -- A block and no procedure: what commits can have no settings, and the advisors of Supabase warn of routines without a search_path.
  -- It looks nothing up by one: each name is qualified, and there is no operator.
  select format($block$do $job$
declare
  seconds double precision;
begin
  loop
    seconds := imago.run_tick(%L, %s);
    commit;
    exit when seconds is null;
    perform pg_catalog.pg_sleep(seconds);
    commit;
  end loop;
end
$job$;$block$, plan_name, finalize::text)
$$;
comment on function imago.tick_statement(text, boolean) is 'What the pg_cron job of a plan runs: ticks for tick_ms, each a transaction of its own. So it moves as many beside a living app, for which a tick is short. With max_per_second they go on until shortly before the next job.';
