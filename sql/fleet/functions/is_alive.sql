create or replace function imago_fleet.is_alive(worker uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from imago_fleet.worker w
    where w.id = is_alive.worker and w.seen_at > pg_catalog.clock_timestamp() - interval '15 seconds')
$$;

comment on function imago_fleet.is_alive(uuid) is 'Whether a worker has said within 15 seconds that it is there: as long as pg-boss waits for its heartbeat.';
