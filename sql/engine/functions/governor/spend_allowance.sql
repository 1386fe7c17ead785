create or replace function imago.spend_allowance(plan text, claim imago.claim, entities integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
begin
  if entities = 0 or claim.slots = '{}' then
    return;
  end if;
  with held as (
    select a.slot, imago.allowed_seconds(a.spent_until, now) as allowed
    from imago.allowance a where a.plan = spend_allowance.plan and a.slot = any (claim.slots)
  ), spent as (
    select h.slot, h.allowed,
      least(h.allowed, entities * claim.seconds_each - coalesce(sum(h.allowed) over (order by h.slot rows between unbounded preceding and 1 preceding), 0)) as seconds
    from held h
  )
  update imago.allowance a set spent_until = now - make_interval(secs => s.allowed - s.seconds)
  from spent s
  where a.plan = spend_allowance.plan and a.slot = s.slot and s.seconds > 0;
end
$$;
comment on function imago.spend_allowance(text, imago.claim, integer) is 'Takes entities that were moved off what max_per_second allows. A batch that is rolled back has spent nothing.';
