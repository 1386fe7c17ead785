create or replace function imago.estimate_pending(run imago.run, total bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select case
    when run.id is null then total
    when run.state in ('succeeded', 'failed') and coalesce(run.error_code, 'set_aside') = 'set_aside'
      then (select count(distinct (f.stage, f.entity)) from imago.failure f where f.plan = run.plan and f.direction = 'forward')
    when run.late_only then (select count(distinct (f.stage, f.entity)) from imago.failure f where f.plan = run.plan and f.direction = 'forward')
    else greatest(
      total - (select coalesce(sum(l.processed), 0) - coalesce(sum(l.failed), 0) from imago.lane l where l.run = run.id and l.pass = 'main'),
      (select count(*) from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done))
  end::bigint
$$;
comment on function imago.estimate_pending(imago.run, bigint) is 'Entities still to be moved, from the counters of the lanes; at least one for each unfinished lane.';
