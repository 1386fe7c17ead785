create or replace function imago.save_readings(governor imago.governor, readings imago.reading[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  passed_ms bigint := case when governor.share = 0 then 1000 * extract(epoch from clock_timestamp() - governor.looked_at) else 0 end;
begin
  -- What a hold has cost is counted for its reasons, at the end of each piece of it.
  if passed_ms > 0 then
    update imago.reading r set held_ms = r.held_ms + passed_ms where r.plan = governor.plan and r.holds;
  end if;
  update imago.reading r set level = 0, value = null, capacity = null, sqlstate = null, slow_looks = 0, hold_looks = 0, since = null
  where r.plan = governor.plan and r.since is not null
    and not exists (select from unnest(readings) n where n.signal = r.signal and n.name = r.name and n.since is not null);
  insert into imago.reading as r (plan, signal, name, level, value, capacity, sqlstate, slow_looks, hold_looks, since)
  select n.plan, n.signal, n.name, n.level, n.value, n.capacity, n.sqlstate, n.slow_looks, n.hold_looks, n.since
  from unnest(readings) n where n.since is not null
  on conflict (plan, signal, name) do update set
    level = excluded.level, value = excluded.value, capacity = excluded.capacity, sqlstate = excluded.sqlstate,
    slow_looks = excluded.slow_looks, hold_looks = excluded.hold_looks, since = excluded.since;
  delete from imago.reading r where r.plan = governor.plan and r.since is null and r.held_ms = 0 and not r.holds;
end
$$;
comment on function imago.save_readings(imago.governor, imago.reading[]) is 'Notes what a look has found wrong, and what the hold that is on has cost so far. While all is fine it writes nothing.';
