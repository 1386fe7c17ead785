create or replace function imago.read_replicas()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select coalesce(nullif(r.application_name, ''), 'standby'), max(pg_catalog.pg_current_wal_insert_lsn() - r.replay_lsn), null::numeric
  from pg_catalog.pg_stat_replication r
  -- A base backup is no replica.
  where r.state = 'streaming' and r.replay_lsn is not null
  group by 1;
end
$$;
comment on function imago.read_replicas() is 'Signal replica: bytes that each streaming replica has not replayed.';
