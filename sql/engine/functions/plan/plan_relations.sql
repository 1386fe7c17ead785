create or replace function imago.plan_relations(plan imago.plan)
returns setof regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select pg_catalog.to_regclass(s.source) from imago.plan_stages(plan) s
  where pg_catalog.to_regclass(s.source) is not null
  union
  select pg_catalog.to_regclass(w.relation) from imago.plan_write w
  where w.plan = plan_relations.plan.name and pg_catalog.to_regclass(w.relation) is not null
  union
  select pg_catalog.to_regclass(c.source) from imago.plan_check c
  where c.plan = plan_relations.plan.name and pg_catalog.to_regclass(c.source) is not null;
end
$$;
comment on function imago.plan_relations(imago.plan) is 'The tables that a plan walks, writes or checks, as far as they exist.';
