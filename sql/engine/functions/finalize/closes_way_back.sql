create or replace function imago.closes_way_back(step imago.plan_step)
returns boolean
language sql
immutable
set search_path = ''
as $$
  -- After the last step only our triggers are left to be removed.
  select step.plan is null or not (step.direct or step.reversible)
$$;
comment on function imago.closes_way_back(imago.plan_step) is 'Whether a finalize step closes the way back; also where no step is left.';
