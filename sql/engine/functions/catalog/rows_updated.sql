create or replace function imago.rows_updated(relations text[])
returns bigint
language sql
volatile
set search_path = ''
as $$
  select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(pg_catalog.to_regclass(r.relation))), 0)::bigint from unnest(relations) r(relation)
$$;
comment on function imago.rows_updated(text[]) is 'Rows of these tables that this transaction has updated so far; take differences.';
