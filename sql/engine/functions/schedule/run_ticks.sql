create or replace procedure imago.run_ticks(plan_name text, finalize boolean default false, inout answer jsonb default null)
language plpgsql
-- It commits, so it can have no settings of its own: the search_path is set in each transaction.
as $$
declare
  ends timestamptz;
begin
  loop
    perform pg_catalog.set_config('search_path', '', true);
    ends := coalesce(ends, clock_timestamp() + make_interval(secs => imago.ticks_budget(plan_name) / 1000.0));
    answer := imago.tick(plan_name, finalize);
    commit;
    perform pg_catalog.set_config('search_path', '', true);
    exit when not imago.goes_on_at_once(answer)
      or clock_timestamp() + make_interval(secs => (answer ->> 'retry_after_ms')::integer / 1000.0) >= ends;
    perform pg_catalog.pg_sleep((answer ->> 'retry_after_ms')::integer / 1000.0);
    commit;
  end loop;
end
$$;
comment on procedure imago.run_ticks(text, boolean, inout jsonb) is 'What the pg_cron job of a plan calls: ticks, each a transaction of its own, for tick_ms. So it moves as many beside a living app, for which a tick is short. With max_per_second they go on until shortly before the next job.';
