create or replace function imago.locks_ahead(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', t.relation::text,
    'mode', case when plan.prepared_at is null then 'ACCESS EXCLUSIVE' else 'ROW EXCLUSIVE' end) order by t.relation::text), '[]')
  from (
    select r.relation from imago.plan_relations(plan) r(relation)
    union
    select pg_catalog.to_regclass(y.relation) from imago.plan_sync y where y.plan = locks_ahead.plan.name
  ) t
  -- Of others' tables without a trigger of ours nobody is kept.
  where imago.may_follow(t.relation::text)
$$;
comment on function imago.locks_ahead(imago.plan) is 'The tables that a dry run locks, each with the strongest mode that it may need. Preparing may take any of them for itself, what is prepared is locked row by row.';
