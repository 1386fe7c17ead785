create or replace function imago.next_step(plan_name text, phase text)
returns imago.plan_step
language sql
stable
set search_path = ''
as $$
  select s.* from imago.plan_step s
  where s.plan = plan_name and s.phase = next_step.phase and s.done_at is null
    and coalesce(s.only_after = case when imago.is_finalized(plan_name) then 'finalize' else 'rollback' end, true)
  order by s.position
  limit 1
$$;
comment on function imago.next_step(text, text) is 'The first step of a phase that is not done, or null; of clean-up those only that are for this end of the plan.';
