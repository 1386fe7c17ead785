create or replace function imago.wal_room(readings imago.reading[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  reading imago.reading;
  room numeric;
begin
  foreach reading in array readings loop
    if reading.signal = 'slot' and reading.sqlstate is null then
      room := least(room, greatest(0, (select s.hold from imago.signal s where s.name = 'slot') / 100 * reading.capacity - reading.value));
    end if;
  end loop;
  -- A quarter of what remains before a slot holds the run: others write as well, and so may several callers.
  return room / 4;
end
$$;
comment on function imago.wal_room(imago.reading[]) is 'Bytes that a call may write before it looks again; null: any number.';
