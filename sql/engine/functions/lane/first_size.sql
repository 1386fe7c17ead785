create or replace function imago.first_size(lane imago.lane)
returns integer
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select l.batch_size from imago.lane l
    where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.processed > 0
    order by l.updated_at desc limit 1), lane.batch_size)
$$;
comment on function imago.first_size(imago.lane) is 'Size of a lane''s first sub-batch: what the lane that was worked last has come to.';
