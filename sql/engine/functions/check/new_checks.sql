create or replace function imago.new_checks(plan imago.plan, phase text, run_id bigint)
returns table (plan_check integer, place integer, applicable boolean, done boolean, total bigint)
language sql
volatile
set search_path = ''
as $$
  select c.id, (row_number() over (order by c.plan is not null, c.position))::integer, a.applicable, not a.applicable,
    (case when c.source is null then 1 else greatest(1, imago.estimated_rows(c.source)) end)::bigint
  from imago.plan_check c
  cross join lateral (select imago.is_applicable(c) as applicable) a
  where coalesce(c.plan, plan.name) = plan.name
    and (run_id is null or c.severity = 'error')
    and (c.phase = new_checks.phase or c.phase = 'during' and new_checks.phase = 'after')
$$;
comment on function imago.new_checks(imago.plan, text, bigint) is 'The checks of a new validation in this phase, in their order. run_id: those that must not fail, for the end of a run.';
