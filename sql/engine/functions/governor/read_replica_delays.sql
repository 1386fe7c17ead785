create or replace function imago.read_replica_delays()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select coalesce(nullif(r.application_name, ''), 'standby'), max(extract(epoch from r.replay_lag)), null::numeric
  from pg_catalog.pg_stat_replication r
  where r.state = 'streaming' and r.replay_lag is not null
  group by 1;
end
$$;
comment on function imago.read_replica_delays() is 'Signal replica_delay: seconds that each streaming replica is late.';
