create or replace function imago.stages(plan imago.plan)
returns setof imago.plan
language sql
stable
set search_path = ''
as $$
  select s.*
  from (select 1 as number union all select t.number from imago.plan_stage t where t.plan = stages.plan.name) n
  cross join lateral imago.stage(stages.plan, n.number) s
  order by n.number
$$;
comment on function imago.stages(imago.plan) is 'The stages that a plan walks, in order; most plans have one.';
