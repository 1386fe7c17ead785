create or replace function imago.active_others(plan text)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select count(*)
    from pg_catalog.pg_stat_activity a
    where a.state = 'active' and a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
      and coalesce(a.wait_event_type, '') not in ('Lock', 'Client', 'Timeout', 'Extension')
      -- Other callers of the same plan are no others.
      and not exists (
        select from imago.run r
        join pg_catalog.pg_locks l on l.locktype = 'advisory' and l.objsubid = 1
          and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(r.id)
        where r.plan = active_others.plan and r.state = 'running' and l.pid = a.pid));
end
$$;
comment on function imago.active_others(text) is 'Sessions that are at work and do not drive this plan.';
