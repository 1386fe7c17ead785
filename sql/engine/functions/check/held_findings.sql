create or replace function imago.held_findings(plan_check imago.plan_check, amount bigint)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
  held text[];
begin
  select array_agg(f.entity) into held
  from imago.failure f
  where f.plan = plan_check.plan and f.stage = plan_check.stage and f.kind = 'held';
  if amount = 0 or held is null or plan_check.source is null then
    return 0;
  end if;
  select p.* into plan from imago.plan p where p.name = plan_check.plan;
  return least(held_findings.amount, (imago.still_to_move(imago.plan_at_stage(plan, plan_check.stage), plan_check, held)).amount);
exception when others or assert_failure then
  -- What cannot be asked excuses nothing.
  return 0;
end
$$;
comment on function imago.held_findings(imago.plan_check, bigint) is 'How much of what a check has found is of entities that are held.';
