create or replace function imago.rows_nulled(plan imago.plan, write imago.plan_write)
returns bigint
language sql
volatile
set search_path = ''
as $$
  select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(pg_catalog.to_regclass(p.relation))), 0)::bigint
  from (
    select distinct p.relation from imago.pointing_columns(plan.name, write.relation) p
    where p.pointing is not null and imago.is_nulled(p.relation, p.columns[1], write.relation)
  ) p
$$;
comment on function imago.rows_nulled(imago.plan, imago.plan_write) is 'Rows that this transaction has updated so far where foreign keys null the declared columns that point at what a write inserts; take differences.';
