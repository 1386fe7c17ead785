create or replace function public.schedule_migration(
  plan text default 'avatars',
  every interval default '10 seconds',
  finalize boolean default false,
  cohort jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.schedule(plan, every, finalize, cohort);
end
$$;
comment on function public.schedule_migration(text, interval, boolean, jsonb) is 'Imago: lets pg_cron drive the unfinished run of a plan, or a new one, inside the database. Direct steps are included. With finalize it goes through the steps of finalize instead, to their end. cohort: as of migrate_batch. Call again to change the interval. The job removes itself when nothing is left to do.';
