create or replace function imago.claim_source(plan imago.plan)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if imago.may_lock(plan.source) is not false then
    return true;
  end if;
  begin
    perform pg_catalog.pg_advisory_xact_lock(imago.source_lock_key(plan.source));
    return true;
  exception when lock_not_available or deadlock_detected then
    return false;
  end;
end
$$;
comment on function imago.claim_source(imago.plan) is 'Whether this call may move entities. Where rows of the walked table cannot be locked one call at a time may, first come, first served, for as long as lock_timeout allows; where they can, any number.';
