create or replace function imago.batch_statistics(run_id bigint)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with batches as (
    select b.* from imago.batch b join imago.run r on r.id = b.run
    where b.run = run_id and b.moved > 0 and b.direction = r.direction
  ), relations as (
    select r.key, sum(r.value::bigint) as amount from batches b, jsonb_each_text(b.rows) r group by r.key
  ), calls as (
    select extract(epoch from max(b.created_at + make_interval(secs => b.ms / 1000.0)) - min(b.created_at)) * 1000 as ms from batches b group by b.xid
  ), trace as (
    select jsonb_agg(jsonb_build_object('batch', t.id, 'size', t.size, 'ms', t.ms) order by t.id) as points
    from (select b.id, b.size, b.ms from batches b order by b.id desc limit 100) t
  )
  select jsonb_build_object(
    'per_minute_now', (select round(imago.recent_rate(r)) from imago.run r where r.id = run_id),
    'per_minute_average', round(60 * sum(b.moved)
      / nullif(extract(epoch from max(b.created_at) - min(b.created_at)) + avg(b.ms) / 1000, 0)),
    'average_ms_per_entity', round(sum(b.ms) / nullif(sum(b.moved), 0), 4),
    'batches', count(*),
    'batch_ms', jsonb_build_object(
      'p50', percentile_cont(0.5) within group (order by b.ms), 'p95', percentile_cont(0.95) within group (order by b.ms),
      'p99', percentile_cont(0.99) within group (order by b.ms), 'max', max(b.ms)),
    'held_ms', (
      select jsonb_build_object(
        'p50', round(percentile_cont(0.5) within group (order by c.ms)), 'p99', round(percentile_cont(0.99) within group (order by c.ms)),
        'max', round(max(c.ms)))
      from calls c),
    'batch_size_trace', coalesce((select points from trace), '[]'),
    'rows', coalesce((select jsonb_object_agg(key, amount) from relations), '{}'),
    'wal_bytes_per_batch', round(avg(b.wal_bytes)), 'wal_bytes_per_entity', round(sum(b.wal_bytes) / nullif(sum(b.moved), 0)),
    'wal_is_server_wide', true)
  from batches b
$$;
comment on function imago.batch_statistics(bigint) is 'Rates, times, sizes, rows and WAL of the batches of a run.';
