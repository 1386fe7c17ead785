create or replace function imago.claim_lane(run_id bigint)
returns imago.lane
language plpgsql
volatile
set search_path = ''
as $$
declare
  next record;
  lane imago.lane;
begin
  select l.stage, l.pass into next
  from imago.lane l
  join imago.run r on r.id = l.run
  where l.run = run_id and not l.done
  order by case r.direction when 'forward' then l.stage else -l.stage end, l.pass desc
  limit 1;
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.stage = next.stage and l.pass = next.pass and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  return lane;
end
$$;
comment on function imago.claim_lane(bigint) is 'The least advanced free lane of the stage and pass that are on, its row lock being the lease. Late lanes only when every main lane of their stage is done. Null when others hold all that is left.';
