create or replace function imago.find_job(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if imago.cron_problem() is not null then
    return null;
  end if;
  return (select to_jsonb(j) from cron.job j where j.jobname = imago.job_name(plan_name) and j.username = current_user);
end
$$;
comment on function imago.find_job(text) is 'The row of cron.job that drives a plan, or null.';
