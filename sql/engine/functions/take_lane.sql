create or replace function imago.take_lane(run_id bigint)
returns imago.lane
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
begin
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.pass = 'main' and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  if found or exists (select from imago.lane l where l.run = run_id and l.pass = 'main' and not l.done) then
    return lane;
  end if;
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.pass = 'late' and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  return lane;
end
$$;
comment on function imago.take_lane(bigint) is 'The least advanced free lane, its row lock being the lease; late lanes only when every main lane is done. Null when others hold all that is left.';
