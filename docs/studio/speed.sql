-- Imago: entities and batches minute by minute of the last hour, and how long batches took. No row is locked for longer than its batch.
select date_trunc('minute', b.created_at) as minute, b.plan, b.direction, count(*) as batches, sum(b.moved) as entities,
  round(percentile_cont(0.5) within group (order by b.ms)) as p50_ms, round(percentile_cont(0.99) within group (order by b.ms)) as p99_ms,
  pg_size_pretty(sum(b.wal_bytes)) as write_ahead_log
from imago.batch b
where b.created_at > clock_timestamp() - interval '1 hour' and b.path <> 'sync'
group by 1, 2, 3
order by 1 desc, 2, 3;
