create or replace function imago_fleet.beat(worker uuid, name text, slots integer)
returns void
language sql
set search_path = ''
as $$
  listen imago_fleet;
  insert into imago_fleet.worker as w (id, name, slots) values (beat.worker, beat.name, beat.slots)
  on conflict (id) do update set seen_at = pg_catalog.clock_timestamp();
  delete from imago_fleet.worker w where w.seen_at < pg_catalog.clock_timestamp() - interval '1 day'
$$;

comment on function imago_fleet.beat(uuid, text, integer) is
  'Says that a worker is alive; its session hears of work from then on, on the channel imago_fleet.';
