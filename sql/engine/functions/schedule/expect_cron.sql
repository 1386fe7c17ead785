create or replace function imago.expect_cron()
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  problem text := imago.cron_problem();
begin
  if problem is not null then
    perform imago.raise_error(problem, current_user);
  end if;
end
$$;
comment on function imago.expect_cron() is 'Refuses where pg_cron is not enabled (IM031) or not granted (IM032).';
