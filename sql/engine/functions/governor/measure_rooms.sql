create or replace function imago.measure_rooms(governor imago.governor, run imago.run, readings imago.reading[], per_second integer)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  moved bigint := (select sum(l.moved + l.failed) from imago.lane l where l.run = run.id);
begin
  governor.lsn := pg_catalog.pg_current_wal_insert_lsn();
  -- A quarter of what is left before a slot holds the run: others write as well, and so may several callers.
  governor.wal_room := (
    select min(greatest(0, s.hold / 100 * r.capacity - r.value)) / 4
    from unnest(readings) r join imago.signal s on s.name = r.signal where r.signal = 'slot' and r.sqlstate is null);
  -- Who has moved too many in the last second moves fewer in this one.
  governor.entity_room := per_second * imago.setting_number('look_ms') / 1000.0
    + least(0, coalesce(governor.entity_room - greatest(0, moved - governor.moved), 0));
  governor.moved := moved;
  return governor;
end
$$;
comment on function imago.measure_rooms(imago.governor, imago.run, imago.reading[], integer) is 'What calls may write and move until the next look.';
