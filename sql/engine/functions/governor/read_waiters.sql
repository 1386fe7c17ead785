create or replace function imago.read_waiters()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array(
    select row('waiters', '', 1000 * max(extract(epoch from clock_timestamp() - l.waitstart)), null)::imago.measurement
    from pg_catalog.pg_locks l
    where not l.granted and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid))
    having count(*) > 0);
end
$$;
comment on function imago.read_waiters() is 'Signal waiters: how long somebody has waited for a lock of this session.';
