create or replace function imago.concerned_rows(plan imago.plan)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    case when pg_catalog.to_regclass(imago.plan_object(plan, 'concerned')) is not null then imago.plan_object(plan, 'concerned') end,
    case when pg_catalog.to_regclass(plan.source) is not null then plan.source end)
$$;
comment on function imago.concerned_rows(imago.plan) is 'The relation that lists the entities that a stage of a plan concerns. Its view concerned where it has one, else the table that it walks; null when that has gone.';
