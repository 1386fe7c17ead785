create or replace function imago.rows_updated(relations text[])
returns bigint
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(pg_catalog.to_regclass(r.relation))), 0)::bigint from unnest(relations) r(relation));
end
$$;
comment on function imago.rows_updated(text[]) is 'Rows of these tables that this transaction has updated so far; take differences.';
