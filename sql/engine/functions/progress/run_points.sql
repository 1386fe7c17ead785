create or replace function imago.run_points(plan_name text, runs bigint[], started_at timestamptz, points integer)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with batches as (
    select b.moved, b.size, b.created_at as began, b.created_at + greatest(b.ms, 0.001) * interval '1 ms' as ended
    from imago.batch b join imago.run r on r.id = b.run
    where b.run = any (runs) and b.ms is not null and b.path <> 'sync' and b.direction = r.direction
  ), span as (
    select least(started_at, min(b.began)) as began, least(points, count(*))::integer as slices,
      (max(b.ended) - least(started_at, min(b.began))) / nullif(least(points, count(*)), 0) as width
    from batches b
  ), slices as (
    select n, s.began + (n - 1) * s.width as began, s.began + n * s.width as ended
    from span s cross join generate_series(1, s.slices) n
  ), filled as (
    -- Batches of several workers overlap: each counts for a slice as far as it lies in it.
    select s.n, s.ended, extract(epoch from s.ended - s.began) as seconds, max(b.size) as size,
      coalesce(sum(b.moved * extract(epoch from least(b.ended, s.ended) - greatest(b.began, s.began))
        / extract(epoch from b.ended - b.began)), 0) as moved
    from slices s left join batches b on b.began < s.ended and b.ended > s.began
    group by s.n, s.began, s.ended
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'at', s.ended, 'per_minute', round(60 * s.moved / s.seconds), 'batch_size', s.size,
    'failures', (select count(*) from imago.log l where l.plan = plan_name and l.run = any (runs)
                 and l.event in ('failed', 'too_large', 'unreachable', 'conflict') and l.created_at <= s.ended)) order by s.n), '[]')
  from filled s
$$;
comment on function imago.run_points(text, bigint[], timestamptz, integer) is 'Some runs in at most so many slices of equal length. At the end of each: entities a minute, the largest sub-batch (null where none ran), failures so far.';
