create or replace function imago.next_stage(run imago.run, plan imago.plan)
returns imago.plan
language sql
stable
set search_path = ''
as $$
  select s.*
  from (
    select 1 as number
    union all
    select t.number from imago.plan_stage t where t.plan = next_stage.plan.name
    union all
    select w.stage from imago.plan_write w
    where run.direction = 'rollback' and w.plan = next_stage.plan.name and w.entity_column is null and w.undo_table is not null
  ) n
  cross join lateral imago.plan_at_stage(next_stage.plan, n.number) s
  where not exists (select from imago.lane l where l.run = next_stage.run.id and l.stage = n.number)
    and not (run.direction = 'forward' and imago.is_taken_later(s))
  order by case run.direction when 'forward' then n.number else -n.number end
  limit 1
$$;
comment on function imago.next_stage(imago.run, imago.plan) is 'The stage whose lanes are to be cut next; null when all have been begun. Forward from the first, back from the last to the shared rows.';
