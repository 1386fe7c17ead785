create or replace function imago.trouble_statistics(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with lines as (
    select l.event, l.sqlstate, l.detail ->> 'raised_by' as raised_by from imago.log l where l.plan = run.plan and l.run = run.id
  ), processed as (
    select coalesce(sum(l.processed), 0) as amount from imago.lane l where l.run = run.id
  )
  select jsonb_build_object(
    'error_rate', round((select count(*) from lines where event in ('failed', 'too_large', 'unreachable'))::numeric
      / nullif((select amount from processed), 0), 6),
    'errors_by_sqlstate', coalesce((
      select jsonb_object_agg(s.sqlstate, s.n) from (
        select coalesce(sqlstate, 'none') as sqlstate, count(*) as n from lines where event in ('failed', 'too_large', 'unreachable') group by 1) s), '{}'),
    'errors_by_raiser', coalesce((
      select jsonb_object_agg(s.raised_by, s.n) from (
        select raised_by, count(*) as n from lines where event in ('failed', 'too_large', 'unreachable') and raised_by is not null
        group by 1 order by 2 desc, 1 limit 10) s), '{}'),
    'deferred_batches', (select count(*) from lines where event = 'deferred'),
    'halved_batches', (select count(*) from lines where event = 'halved'),
    'timed_out_batches', (select count(*) from lines where event = 'timeout'),
    'lock_timeouts_55P03', (select count(*) from lines where sqlstate = '55P03'),
    'deadlocks_40P01', (select count(*) from lines where sqlstate = '40P01'))
$$;
comment on function imago.trouble_statistics(imago.run) is 'Errors and who raised them, deferrals, halvings, lock timeouts and deadlocks of a run, from its log.';
