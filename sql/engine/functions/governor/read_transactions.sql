create or replace function imago.read_transactions()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select a.pid::text, extract(epoch from clock_timestamp() - a.xact_start), null::numeric
  from pg_catalog.pg_stat_activity a
  where a.xact_start is not null and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'
  order by a.xact_start
  limit 1;
end
$$;
comment on function imago.read_transactions() is 'Signal transaction: the oldest one of another session, in seconds.';
