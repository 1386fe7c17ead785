create or replace function imago.rate_wait_ms(plan text)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
  per_second constant integer := (select t.max_per_second from imago.throttle t where t.plan = rate_wait_ms.plan);
  -- One entity at least; and no more calls than five a second, each for a fifth of the rate.
  least_seconds constant numeric := greatest(0.2, 1.0 / per_second);
  allowed numeric;
begin
  if per_second is null then
    return 0;
  end if;
  select coalesce(avg(imago.allowed_seconds(a.spent_until, clock_timestamp())), 0) into allowed
  from imago.allowance a where a.plan = rate_wait_ms.plan and a.slot <= imago.allowance_slots(per_second);
  -- Callers wait up to a quarter longer than they are told, so that they do not come all at once.
  return case when allowed >= least_seconds then 0 else greatest(10, 850 * (least_seconds - allowed)) end;
end
$$;
comment on function imago.rate_wait_ms(text) is 'Milliseconds after which max_per_second allows enough entities for a call; 0: now.';
