create or replace function imago.job_name(plan_name text, direct boolean default false)
returns text
language sql
immutable
set search_path = ''
as $$
  select 'imago ' || plan_name || case when direct then ' direct' else '' end
$$;
comment on function imago.job_name(text, boolean) is 'Name of the pg_cron job that drives a plan, one job a plan, or of the one that runs the statement of its direct step.';
