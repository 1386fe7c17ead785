create or replace function imago.read_replicas()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  replica record;
  result imago.measurement[] := '{}';
begin
  if not exists (select from pg_catalog.pg_stat_get_wal_senders()) then
    return '{}';
  end if;
  for replica in
    select coalesce(nullif(max(a.application_name), ''), 'standby') as name, bool_or(w.state is null) as is_hidden,
      max(pg_catalog.pg_current_wal_insert_lsn() - w.replay_lsn) as bytes, max(extract(epoch from w.replay_lag)) as seconds
    from pg_catalog.pg_stat_get_wal_senders() w
    left join lateral pg_catalog.pg_stat_get_activity(w.pid) a on true
    -- A base backup is no replica. Where nothing is shown, it may be one.
    where w.state is null or w.state = 'streaming' and w.replay_lsn is not null
    group by a.application_name
  loop
    if replica.is_hidden then
      raise insufficient_privilege;
    end if;
    result := result || row('replica', replica.name, replica.bytes, null)::imago.measurement;
    if replica.seconds is not null then
      result := result || row('replica_delay', replica.name, replica.seconds, null)::imago.measurement;
    end if;
  end loop;
  return result;
end
$$;
comment on function imago.read_replicas() is 'Signals replica and replica_delay: bytes that each streaming replica has not replayed, and seconds that it is late.';
