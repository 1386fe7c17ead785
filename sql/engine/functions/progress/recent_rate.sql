create or replace function imago.recent_rate(run_id bigint)
returns numeric
language sql
stable
set search_path = ''
as $$
  select case when count(*) > 0 then
    60 * sum(b.moved) / greatest(0.1, extract(epoch from max(b.created_at) - min(b.created_at)) + avg(b.ms) / 1000)
  end
  from (select * from imago.batch b where b.run = run_id and b.path <> 'sync' order by b.id desc limit 50) b
  where b.created_at > (select max(l.created_at) - interval '60 s' from imago.batch l where l.run = run_id and l.path <> 'sync')
$$;
comment on function imago.recent_rate(bigint) is 'Entities a minute over the last minute of work, at most 50 batches.';
