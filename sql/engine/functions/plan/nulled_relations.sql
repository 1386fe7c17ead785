create or replace function imago.nulled_relations(plan imago.plan, target text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(distinct p.relation), '{}')
  from imago.referencing_columns(plan.name, target) p
  where (p.pointing).id is not null and imago.is_nulled(p.relation, p.columns[1], target)
$$;
comment on function imago.nulled_relations(imago.plan, text) is 'Relations with a declared column that points at rows of the target and that foreign keys set null with such a row.';
