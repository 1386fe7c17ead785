create or replace function imago.fix_checks(validation imago.validation, plan imago.plan, deadline timestamptz)
returns imago.validation_check[]
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
  item imago.validation_check;
  result imago.validation_check[] := '{}';
  attempts_left integer := imago.setting_number('max_sub_batches');
  step record;
begin
  run := imago.open_fix_run(plan, validation.id);
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  for item in
    select i.* from imago.validation_check i where i.validation = fix_checks.validation.id and not i.done order by i.position
  loop
    select * into step from imago.fix_check(run, plan, item, validation.dry_run, deadline, attempts_left);
    result := result || step.result;
    attempts_left := attempts_left - step.attempts;
    exit when step.outcome <> 'done' or attempts_left <= 0 or clock_timestamp() >= deadline;
  end loop;
  perform imago.conclude_run(run);
  return result;
end
$$;
comment on function imago.fix_checks(imago.validation, imago.plan, timestamptz) is 'Fixes under a run that begins and ends with this call. A caller that asks for another run meanwhile waits, and nothing is left open by a caller that dies.';
