create or replace function imago.read_waiters()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select '', 1000 * max(extract(epoch from clock_timestamp() - l.waitstart)), null::numeric
  from pg_catalog.pg_locks l
  where not l.granted and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid))
  having count(*) > 0;
end
$$;
comment on function imago.read_waiters() is 'Signal waiters: how long somebody has waited for a lock of this session.';
