create or replace function imago.claim_allowance(plan text, wanted integer)
returns imago.claim
language plpgsql
volatile
set search_path = ''
as $$
declare
  per_second constant integer := (select t.max_per_second from imago.throttle t where t.plan = claim_allowance.plan);
  now constant timestamptz := clock_timestamp();
  slots constant integer := imago.allowance_slots(per_second);
  allowed numeric;
  claim imago.claim := row(wanted, '{}', slots::numeric / per_second);
begin
  if per_second is null then
    return claim;
  end if;
  allowed := per_second * (
    select avg(imago.allowed_seconds(a.spent_until, now)) from imago.allowance a where a.plan = claim_allowance.plan and a.slot <= slots);
  -- As many slots as are needed, so that other callers find some, too. They are held until the call ends, and spent from as it works.
  select array_agg(l.slot), floor(sum(imago.allowed_seconds(l.spent_until, now)) / claim.seconds_each) into claim.slots, claim.entities
  from (
    select a.slot, a.spent_until from imago.allowance a
    where a.plan = claim_allowance.plan and a.slot <= slots
    order by a.slot
    limit least(slots, ceil(wanted * slots / greatest(allowed, 1)))::integer
    for update skip locked) l;
  claim.entities := least(wanted, coalesce(claim.entities, 0));
  -- Waiting for a fifth of a second is better than a sub-batch for each entity.
  if claim.entities < least(wanted, per_second / 5) then
    claim.entities := 0;
  end if;
  return claim;
end
$$;
comment on function imago.claim_allowance(text, integer) is 'Locks what may be moved by max_per_second, up to what is wanted: other callers find the rest.';
