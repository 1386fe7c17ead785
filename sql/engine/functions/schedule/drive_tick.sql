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
  else
    answer := imago.drive_run(run, imago.tick_budget(plan_name));
  end if;
  perform imago.unschedule_direct(plan_name);
  return answer;
exception when sqlstate 'IM042' then
  return imago.schedule_direct(plan_name, case when finalize then 'finalize' else 'prepare' end);
end
$$;
comment on function imago.drive_tick(text, imago.run, boolean) is 'What a tick does: one call''s worth of the run, or of finalize; a direct step that it meets is given a job of its own.';
