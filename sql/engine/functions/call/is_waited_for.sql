create or replace function imago.is_waited_for(ms integer default 0)
returns boolean
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return exists (
    select from pg_catalog.pg_locks l
    where not l.granted
      and (ms = 0 or l.waitstart <= clock_timestamp() - make_interval(secs => ms / 1000.0))
      and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid)));
end
$$;
comment on function imago.is_waited_for(integer) is 'Whether another session waits for a lock of this one, and has for so many milliseconds.';
