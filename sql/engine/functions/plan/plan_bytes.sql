create or replace function imago.plan_bytes(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  select sum(imago.relation_bytes(t.relation))::bigint
  from (
    select pg_catalog.to_regclass(plan.source)::text as relation
    union
    select pg_catalog.to_regclass(w.relation)::text from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage
  ) t
$$;
comment on function imago.plan_bytes(imago.plan) is 'Bytes of the source of a stage and of the tables that it writes, without their indexes.';
