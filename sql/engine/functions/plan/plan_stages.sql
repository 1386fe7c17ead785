create or replace function imago.plan_stages(plan imago.plan)
returns setof imago.plan
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select s.*
  from (select 1 as number union all select t.number from imago.plan_stage t where t.plan = plan_stages.plan.name) n
  cross join lateral imago.plan_at_stage(plan_stages.plan, n.number) s
  order by n.number;
end
$$;
comment on function imago.plan_stages(imago.plan) is 'The stages that a plan walks, in order; most plans have one.';
