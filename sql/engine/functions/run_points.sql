create or replace function imago.run_points(plan_name text, runs bigint[], started_at timestamptz, points integer)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with parts as (
    select b.*, ntile(points) over (order by b.id) as part from imago.batch b where b.run = any (runs) and b.ms is not null and b.path <> 'sync'
  ), buckets as (
    select part, max(created_at + ms * interval '1 ms') as at, sum(moved) as moved, max(size) as size from parts group by part
  ), spans as (
    select k.*, extract(epoch from k.at - lag(k.at, 1, started_at) over (order by k.part)) as seconds from buckets k
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'at', s.at, 'users_per_minute', round(60 * s.moved / greatest(0.001, s.seconds)), 'batch_size', s.size,
    'failures', (select count(*) from imago.log l where l.plan = plan_name and l.run = any (runs)
                 and l.event in ('failed', 'too_large', 'conflict') and l.created_at <= s.at)) order by s.part), '[]')
  from spans s
$$;
comment on function imago.run_points(text, bigint[], timestamptz, integer) is 'At most so many moments of some runs: entities a minute since the moment before, largest sub-batch, failures so far.';
