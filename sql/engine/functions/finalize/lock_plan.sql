create or replace function imago.lock_plan(plan_name text, run_too boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  run imago.run := imago.last_run(plan_name);
begin
  if run_too and run.id is not null then
    perform imago.lock_run(run.id);
  end if;
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  perform from imago.plan p where p.name = plan_name for no key update;
  return true;
exception when sqlstate 'IM016' or lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.lock_plan(text, boolean) is 'Holds a plan alone, so that no run is opened, and its last run, so that nothing is moved by it. False while others take too long.';
