create or replace function imago.bounded_size(size integer, lane imago.lane, governor imago.governor)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The first write to a page after a checkpoint takes all of it along: an entity may need far more than the last ones did.
  return greatest(1, least(size, governor.wal_room / greatest(lane.entity_wal, 65536)))::integer;
end
$$;
comment on function imago.bounded_size(integer, imago.lane, imago.governor) is 'Size of a sub-batch, cut to what may be written before the next look.';
