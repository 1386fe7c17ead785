create or replace function imago.installed_jobs()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  problem text := imago.cron_problem();
  jobs jsonb := '[]';
begin
  if problem is null then
    select coalesce(jsonb_agg(jsonb_build_object('name', j.jobname, 'active', j.active, 'state', case
      when not exists (select from imago.plan p where j.jobname in (imago.job_name(p.name), imago.job_name(p.name, true))) then 'orphaned'
      else 'sound' end) order by j.jobname), '[]') into jobs
    from cron.job j where j.jobname like 'imago %' and j.username = current_user;
  end if;
  return jsonb_build_object('available', problem is null, 'problem', problem, 'jobs', jobs);
end
$$;
comment on function imago.installed_jobs() is 'Whether pg_cron can be used, and the jobs that drive plans: sound, or orphaned where no plan is of that name.';
