create or replace function imago.first_size(lane imago.lane, out batch_size integer, out entity_ms numeric, out entity_wal numeric)
returns record
language sql
stable
set search_path = ''
as $$
  select l.batch_size, l.entity_ms, l.entity_wal from imago.lane l
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.processed > 0
  order by l.updated_at desc limit 1
$$;
comment on function imago.first_size(imago.lane) is 'What the lane that was worked last has come to: size of a sub-batch, and milliseconds and write-ahead log an entity.';
