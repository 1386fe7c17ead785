create or replace function imago.unschedule(plan_name text, reason text, level text default 'info', sqlstate text default null)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.unschedule_direct(plan_name);
  if imago.find_job(plan_name) is null then
    return false;
  end if;
  perform cron.unschedule(imago.job_name(plan_name));
  perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, level, 'unscheduled',
    jsonb_build_object('job', imago.job_name(plan_name), 'reason', reason), null, sqlstate);
  return true;
end
$$;
comment on function imago.unschedule(text, text, text, text) is 'Removes the job of a plan and logs why; false where there is none.';
