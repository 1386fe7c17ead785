create or replace function imago.read_activity(run imago.run, governor imago.governor)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen record;
  result imago.measurement[];
begin
  -- The view joins databases and roles to each session; all that is asked is here, and read once.
  select
    count(*) filter (where a.backend_type = 'client backend') as clients,
    array_agg(a.pid) filter (
      where a.state = 'active' and a.datid = d.oid and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
        and coalesce(a.wait_event_type, '') not in ('Lock', 'Client', 'Timeout', 'Extension')) as active,
    -- A session of which nothing is shown may wait for us, too.
    coalesce(bool_or(a.wait_event_type = 'Lock' or a.backend_type is null), false) as waits,
    (array_agg(row('transaction', a.pid, extract(epoch from clock_timestamp() - a.xact_start), null)::imago.measurement order by a.xact_start)
      filter (where a.xact_start is not null and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'))[1] as oldest
  into seen
  from pg_catalog.pg_stat_get_activity(null) a
  cross join (select d.oid from pg_catalog.pg_database d where d.datname = current_database()) d;

  result := array[
    row('connections', '', current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
      - coalesce(current_setting('reserved_connections', true)::integer, 0) - seen.clients, null)::imago.measurement,
    row('active', '', coalesce(cardinality(seen.active), 0) - imago.count_callers(run, seen.active), greatest(governor.usual_active, 9))::imago.measurement];
  if (seen.oldest).name is not null then
    result := result || seen.oldest;
  end if;
  if seen.waits then
    result := result || imago.read_waiters();
  end if;
  return result;
end
$$;
comment on function imago.read_activity(imago.run, imago.governor) is 'Signals connections, active, transaction and waiters, from one look at all sessions.';
