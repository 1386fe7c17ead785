create or replace function imago.estimate_pending(run imago.run, plan imago.plan, total bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  aside bigint := (
    select a.unmoved + case run.direction when 'forward' then a.held else 0 end from imago.count_set_aside(run.plan, run.direction) a);
  forward imago.run;
  lanes record;
begin
  if run.id is null then
    return total;
  end if;
  if run.state in ('succeeded', 'failed') and coalesce(run.error_code, 'set_aside') = 'set_aside' then
    return case run.direction when 'forward' then aside else total - aside end;
  elsif run.late_only then
    return aside;
  end if;
  if run.direction = 'rollback' then
    select r.* into forward from imago.run r
    where r.plan = run.plan and r.direction = 'forward' and r.validation is null and r.id < run.id order by r.id desc limit 1;
  end if;
  -- Of the rollbacks since the last run forward, each has taken its part.
  select
      sum(l.processed) as processed, sum(l.failed) as failed, sum(l.moved) as moved,
      count(*) filter (where l.run = run.id and not l.done) as unfinished
    into lanes
  from imago.lane l join imago.run r on r.id = l.run
  where l.pass = 'main' and l.stage > 0
    and (l.run = run.id or r.plan = run.plan and r.direction = run.direction and r.id > forward.id);
  if run.direction = 'rollback' then
    return total - least(total, greatest(
      total - imago.estimate_pending(forward, plan, total) - coalesce(lanes.moved, 0), lanes.unfinished));
  end if;
  -- Lanes walk all rows of the source, also those that the plan does not concern.
  return greatest(
    ceil(total * (1 - least(1, (coalesce(lanes.processed, 0) - coalesce(lanes.failed, 0)) / greatest(1, imago.source_rows(plan))::numeric))),
    lanes.unfinished)::bigint;
end
$$;
comment on function imago.estimate_pending(imago.run, imago.plan, bigint) is 'Entities still to be moved, from the counters of the lanes. An unfinished lane has at least one to move, or to take back.';
