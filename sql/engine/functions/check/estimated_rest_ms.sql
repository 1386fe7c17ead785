create or replace function imago.estimated_rest_ms(plan_check imago.plan_check, cursor_key text)
returns numeric
language plpgsql
volatile
set search_path = ''
set enable_seqscan = on
set jit = off
set max_parallel_workers_per_gather = 0
set work_mem = '64MB'
as $$
declare
  plan jsonb;
  -- What a server does that has its tables in memory. One that is slower runs into its timeout and goes piece by piece.
  cost_a_ms constant numeric := 125;
begin
  -- The planner may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('explain (format json) select count(*) from (%s) f where %s', imago.check_sql(plan_check), imago.piece_range(plan_check, cursor_key, null))
    into plan using cursor_key, null::text;
  return (plan #>> '{0,Plan,Total Cost}')::numeric / cost_a_ms;
end
$$;
comment on function imago.estimated_rest_ms(imago.plan_check, text) is 'Milliseconds that one query over all that is left of a check takes, as the planner sees it.';
