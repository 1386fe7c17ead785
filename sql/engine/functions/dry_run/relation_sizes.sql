create or replace function imago.relation_sizes(plan imago.plan)
returns table (relation text, is_journal boolean, bytes numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select t::text, false, pg_catalog.pg_total_relation_size(t)::numeric
  from imago.plan_relations(plan) r(relation) cross join lateral imago.written_tables(r.relation::text) t
  group by t
  union all
  select u.undo_table, true, u.bytes::numeric from imago.undo_bytes(plan.name) u;
end
$$;
comment on function imago.relation_sizes(imago.plan) is 'The tables of a plan and those of its journal, each with all that it takes on disk: rows, indexes and large values.';
