create or replace function imago.start_run(run_id bigint, size integer default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  plan imago.plan;
  source record;
  old_timeout text := current_setting('lock_timeout');
begin
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    perform pg_advisory_xact_lock(imago.gate(run_id));
    select r.* into run from imago.run r where r.id = run_id for update;
  exception when lock_not_available or deadlock_detected then
    perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
  end;
  perform set_config('lock_timeout', old_timeout, true);
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
