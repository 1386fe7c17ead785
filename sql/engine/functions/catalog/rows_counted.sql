create or replace function imago.rows_counted(tables oid[])
returns numeric
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each call.
as $$
begin
  return (
    select coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(t) + pg_catalog.pg_stat_get_tuples_updated(t) + pg_catalog.pg_stat_get_tuples_deleted(t)), 0)
    from unnest(tables) t);
end
$$;
comment on function imago.rows_counted(oid[]) is 'Rows written in these tables, by everybody and ever, as the server counts them.';
