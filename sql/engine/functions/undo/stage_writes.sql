create or replace function imago.stage_writes(plan imago.plan)
returns setof imago.plan_write
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return query
    select w.* from imago.plan_write w
    where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null order by w.position;
end
$$;
comment on function imago.stage_writes(imago.plan) is 'The journaled writes of a stage, in their order.';
