create or replace function imago.schedule_direct(plan_name text, phase text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  step record;
begin
  select d.* into step from imago.direct_step(plan_name, phase) d;
  -- Another builder, this job or somebody else, is waited for.
  if not step.building then
    if step.invalid_index is not null then
      perform imago.drop_invalid_index(step.relation, step.invalid_index, plan_name, step.name);
    end if;
    if not imago.run_by_job(plan_name, step.name, step.statement) then
      perform imago.raise_error('IM056', step.name, plan_name, imago.find_job(plan_name, true) ->> 'jobid');
    end if;
  end if;
  return jsonb_build_object('plan', plan_name, 'status', 'direct', 'step', step.name);
end
$$;
comment on function imago.schedule_direct(text, text) is 'Has pg_cron run the statement of the direct step that a phase has come to, as a job of its own. Ticks ask the step until it is done. IM056 when the statement keeps failing.';
