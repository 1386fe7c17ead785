create or replace function imago.scheduled(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce((select i.label from imago.cron_intervals() i where i.schedule = j.job ->> 'schedule'), j.job ->> 'schedule')
  from (select imago.find_job(plan_name) as job) j
  where (j.job ->> 'active')::boolean
$$;
comment on function imago.scheduled(text) is 'How often pg_cron drives a plan, such as 10 seconds; null when it does not.';
