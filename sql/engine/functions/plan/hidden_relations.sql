create or replace function imago.hidden_relations(plan imago.plan)
returns setof regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select t
  from (
    select r from imago.plan_relations(plan) r
    union
    select pg_catalog.to_regclass(format('imago_undo.%I', w.undo_table)) from imago.plan_write w
    where w.plan = hidden_relations.plan.name and w.undo_table is not null
  ) t(t)
  where pg_catalog.row_security_active(t);
end
$$;
comment on function imago.hidden_relations(imago.plan) is 'Tables of a plan, undo tables included, whose row level security hides rows from the role that Imago runs as.';
