create or replace function imago.job_name(plan_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select 'imago ' || plan_name
$$;
comment on function imago.job_name(text) is 'Name of the pg_cron job that drives a plan; one job a plan.';
