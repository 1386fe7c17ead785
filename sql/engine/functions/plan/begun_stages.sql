create or replace function imago.begun_stages(run imago.run, plan imago.plan)
returns setof imago.plan
language sql
stable
set search_path = ''
as $$
  select s.*
  from (select distinct l.stage as number from imago.lane l where l.run = begun_stages.run.id) n
  cross join lateral imago.plan_at_stage(begun_stages.plan, n.number) s
  order by case run.direction when 'forward' then n.number else -n.number end
$$;
comment on function imago.begun_stages(imago.run, imago.plan) is 'The stages of a run whose lanes have been cut, in the order in which it works on them.';
