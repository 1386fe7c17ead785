create or replace function imago.unschedule_direct(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if imago.find_job(plan_name, true) is not null then
    perform cron.unschedule(imago.job_name(plan_name, true));
  end if;
end
$$;
comment on function imago.unschedule_direct(text) is 'Removes the job that runs the statement of a direct step, if there is one. pg_cron cancels a statement that is under way.';
