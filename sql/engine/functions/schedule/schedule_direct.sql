create or replace function imago.schedule_direct(plan_name text, phase text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  step record;
  schedule text := imago.find_job(plan_name) ->> 'schedule';
  job jsonb := imago.find_job(plan_name, true);
  -- One that ends may be run again before the next tick removes the job: each try counts twice at worst.
  most_failures constant integer := 6;
begin
  select d.* into step from imago.direct_step(plan_name, phase) d;
  -- Whoever is building, this job or somebody else, is waited for.
  if not step.building then
    if step.invalid_index is not null then
      perform imago.drop_invalid_index(plan_name, phase);
    end if;
    if schedule is not null and step.statement is distinct from job ->> 'command' then
      perform imago.unschedule_direct(plan_name);
      perform cron.schedule(imago.job_name(plan_name, true), schedule, step.statement);
      perform imago.write_log(plan_name, null, 'info', 'direct', jsonb_build_object('step', step.name, 'statement', step.statement));
    elsif most_failures <= (
      select count(*) from cron.job_run_details d where d.jobid = (job ->> 'jobid')::bigint and d.status = 'failed'
    ) then
      perform imago.raise_error('IM056', step.name, plan_name, job ->> 'jobid');
    end if;
  end if;
  return jsonb_build_object('plan', plan_name, 'status', 'direct', 'step', step.name);
end
$$;
comment on function imago.schedule_direct(text, text) is 'Has pg_cron run the statement of the direct step that a phase has come to, as a job of its own. A job''s command is in no transaction. Ticks ask the step until it is done. IM056 when the statement keeps failing.';
