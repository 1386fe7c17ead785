create or replace function imago.start_run(run_id bigint, size integer default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  plan imago.plan;
  source record;
begin
  if run.state <> 'pending' then
    return run.state;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  perform imago.cut_lanes(run, plan, size);
  select * into source from imago.count_source(plan);
  update imago.run r set total = source.total, total_is_estimate = source.is_estimate where r.id = run_id;
  return imago.transit(run_id, 'start');
end
$$;
comment on function imago.start_run(bigint, integer) is 'Cuts the lanes of a pending run and starts it; others that come at the same time wait and find it started.';
