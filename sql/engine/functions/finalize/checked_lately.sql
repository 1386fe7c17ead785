create or replace function imago.checked_lately(plan imago.plan)
returns boolean
language sql
volatile
set search_path = ''
as $$
  -- A few minutes: you need not check twice when you finalize in one go, and must when you come back next week.
  select coalesce(plan.checked_at > clock_timestamp() - interval '5 minutes', false)
    and not exists (
      select from imago.plan_step s where s.plan = plan.name and s.phase = 'finalize' and s.done_at > plan.checked_at)
$$;
comment on function imago.checked_lately(imago.plan) is 'Whether the checks were gone through lately, and no step has been done since.';
