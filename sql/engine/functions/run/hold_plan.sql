create or replace function imago.hold_plan(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
begin
  perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  perform from imago.plan p where p.name = plan_name for no key update;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', plan_name);
end
$$;
comment on function imago.hold_plan(text) is 'Holds a plan alone: no other caller opens a run, or says which entities runs take. IM016 when others take too long.';
