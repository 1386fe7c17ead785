create or replace function imago.drive_tick(plan_name text, run imago.run, finalize boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer jsonb;
begin
  if finalize then
    answer := imago.finalize(plan_name, false);
  elsif run.direction = 'rollback' then
    answer := imago.roll_back(plan_name, imago.tick_budget(plan_name), run.force, run.id);
  else
    answer := imago.migrate(plan_name, imago.tick_budget(plan_name),
      backup => run.backup, max_failures => run.max_failures, on_failure => run.on_failure, run_id => run.id);
  end if;
  if answer ? 'index' then
    perform imago.schedule_index(plan_name);
  else
    perform imago.unschedule_direct(plan_name);
  end if;
  return answer;
exception when sqlstate 'IM042' then
  return imago.schedule_direct(plan_name, case when finalize then 'finalize' else 'prepare' end);
end
$$;
comment on function imago.drive_tick(text, imago.run, boolean) is 'What a tick does: one call''s worth of the run, in its direction and with its settings, or of finalize. A direct step, or an index, that it meets is given a job of its own.';
