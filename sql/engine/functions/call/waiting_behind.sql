create or replace function imago.waiting_behind()
returns integer[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    with recursive waiters as materialized (
      select l.pid, pg_catalog.pg_blocking_pids(l.pid) as blockers from pg_catalog.pg_locks l where not l.granted
    ), behind(pid) as (
      select w.pid from waiters w where pg_catalog.pg_backend_pid() = any (w.blockers)
      union
      select w.pid from behind b join waiters w on b.pid = any (w.blockers)
    )
    select array_agg(b.pid) from behind b where b.pid <> pg_catalog.pg_backend_pid());
end
$$;
comment on function imago.waiting_behind() is
  'Sessions that wait for this one, directly or in a line behind somebody who does; null: none.';
