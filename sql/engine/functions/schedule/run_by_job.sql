create or replace function imago.run_by_job(plan_name text, name text, statement text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  schedule text := imago.find_job(plan_name) ->> 'schedule';
  job jsonb := imago.find_job(plan_name, true);
  -- One that ends may be run again before the next tick removes the job: each try counts twice at worst.
  most_failures constant integer := 6;
begin
  if schedule is not null and statement is distinct from job ->> 'command' then
    perform imago.unschedule_direct(plan_name);
    perform cron.schedule(imago.job_name(plan_name, true), schedule, statement);
    perform imago.write_log(plan_name, null, 'info', 'direct', jsonb_build_object('step', name, 'statement', statement));
    return true;
  end if;
  return most_failures > (
    select count(*) from cron.job_run_details d where d.jobid = (job ->> 'jobid')::bigint and d.status = 'failed');
end
$$;
comment on function imago.run_by_job(text, text, text) is 'Has pg_cron run a statement for a plan, as a job of its own, until a tick removes that. False when it keeps failing. A job''s command is in no transaction.';
