create or replace function imago.find_job(plan_name text, direct boolean default false)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if imago.cron_problem() is not null then
    return null;
  end if;
  return (select to_jsonb(j) from cron.job j where j.jobname = imago.job_name(plan_name, direct) and j.username = current_user);
end
$$;
comment on function imago.find_job(text, boolean) is 'The row of cron.job that drives a plan, or that runs the statement of its direct step; or null.';
