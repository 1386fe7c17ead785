create or replace function imago.table_states(plan imago.plan)
returns table (relation pg_catalog.regclass, live bigint, dead bigint, bytes bigint)
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  -- By the catalogue alone: nobody waits here for a session that is altering a partition.
  with recursive tree as (
    select r.r::oid as id from imago.plan_relations(plan) r(r)
    union
    select pg_catalog.to_regclass(format('imago_undo.%I', w.undo_table))::oid from imago.plan_write w where w.plan = plan.name and w.undo_table is not null
    union
    select h.inhrelid from tree t join pg_catalog.pg_inherits h on h.inhparent = t.id
  )
  select c.oid::pg_catalog.regclass, pg_catalog.pg_stat_get_live_tuples(c.oid), pg_catalog.pg_stat_get_dead_tuples(c.oid),
    imago.relation_bytes(c.oid::pg_catalog.regclass::text)
  from tree t join pg_catalog.pg_class c on c.oid = t.id and c.relkind = 'r';
end
$$;
comment on function imago.table_states(imago.plan) is 'The tables of a plan that hold rows, its journal among them, with their rows and bytes. Live and dead rows as the server counts them, bytes without indexes.';
