create or replace function imago.save_readings(governor imago.governor, readings imago.reading[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  passed_ms bigint := case when governor.share = 0 then 1000 * extract(epoch from clock_timestamp() - governor.looked_at) else 0 end;
begin
  if not exists (select from imago.reading r where r.plan = governor.plan)
     and not exists (select from unnest(readings) n where n.since is not null or n.read_at is not null) then
    return;
  end if;
  -- What a hold has cost is counted for its reasons, at the end of each piece of it.
  if passed_ms > 0 then
    update imago.reading r set held_ms = r.held_ms + passed_ms where r.plan = governor.plan and r.holds;
  end if;
  update imago.reading r set level = 0, value = null, capacity = null, sqlstate = null, slow_looks = 0, hold_looks = 0, since = null, read_at = null, took_ms = null
  where r.plan = governor.plan and (r.since is not null or r.read_at is not null)
    and not exists (select from unnest(readings) n where n.signal = r.signal and n.name = r.name and (n.since is not null or n.read_at is not null));
  insert into imago.reading as r (plan, signal, name, level, value, capacity, sqlstate, slow_looks, hold_looks, since, read_at, took_ms)
  select n.plan, n.signal, n.name, n.level, n.value, n.capacity, n.sqlstate, n.slow_looks, n.hold_looks, n.since, n.read_at, n.took_ms
  from unnest(readings) n
  where (n.since is not null or n.read_at is not null)
    -- What was not read again is there already.
    and not exists (select from imago.reading k where k.plan = n.plan and k.signal = n.signal and k.name = n.name and k.read_at = n.read_at)
  on conflict (plan, signal, name) do update set
    level = excluded.level, value = excluded.value, capacity = excluded.capacity, sqlstate = excluded.sqlstate,
    slow_looks = excluded.slow_looks, hold_looks = excluded.hold_looks, since = excluded.since,
    read_at = excluded.read_at, took_ms = excluded.took_ms;
  delete from imago.reading r where r.plan = governor.plan and r.since is null and r.read_at is null and r.held_ms = 0 and not r.holds;
end
$$;
comment on function imago.save_readings(imago.governor, imago.reading[]) is 'Notes what a look has found wrong, and what the hold that is on has cost so far. While all is fine it writes nothing but what is dear to read, when it was read.';
