create or replace function imago.estimate_stage(staged imago.plan)
returns bigint
language plpgsql
-- As planned_rows, which it calls.
volatile
set search_path = ''
as $$
declare
  pending constant text := imago.plan_object(staged, 'pending');
  rows constant bigint := imago.estimated_rows(staged.source);
begin
  if pg_catalog.to_regclass(pending) is null then
    return round(rows * imago.cohort_share(staged));
  end if;
  -- As a share: the planner takes a table whose rows were rewritten for a larger one, and the view along with it.
  return round(rows * least(1, imago.planned_rows(pending) / greatest(1, imago.planned_rows(staged.source))) * imago.cohort_share(staged));
end
$$;
comment on function imago.estimate_stage(imago.plan) is 'Entities of a stage that are still to be moved and that runs take, by statistics. Before the plan is prepared, all of them.';
