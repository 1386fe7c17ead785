create or replace function imago.recent_rate(run imago.run)
returns numeric
language sql
stable
set search_path = ''
as $$
  select 60 * sum(b.moved) / greatest(0.1, extract(epoch from max(b.ended) - min(b.created_at)))
  from (
    select b.moved, b.created_at, b.created_at + coalesce(b.ms, 0) * interval '1 ms' as ended
    from imago.batch b
    where b.run = recent_rate.run.id and b.path <> 'sync' and b.direction = run.direction and run.state = 'running'
    order by b.id desc
    limit 50
  ) b
  -- Nothing moves unless somebody has just moved something.
  where b.created_at > clock_timestamp() - interval '60 s' and imago.read_only_database() is null
  having sum(b.moved) > 0 and max(b.ended) filter (where b.moved > 0) > clock_timestamp() - interval '10 s'
$$;
comment on function imago.recent_rate(imago.run) is 'Entities a minute over the last minute, at most 50 batches. Null while nothing moves: of a run that is not running, or has moved nobody for ten seconds.';
