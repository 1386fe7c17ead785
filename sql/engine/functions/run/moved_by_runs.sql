create or replace function imago.moved_by_runs(plan_name text, direction text, stage integer, after_run bigint, up_to_run bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce(sum(m.moved), 0)::bigint
  from imago.run r
  cross join lateral (
    select l.moved from imago.lane l where l.run = r.id and l.stage = moved_by_runs.stage
    union all
    -- Windows go past the lanes.
    select b.moved from imago.batch b where b.run = r.id and b.path = 'window' and moved_by_runs.stage = 1
  ) m
  where r.plan = plan_name and r.direction = moved_by_runs.direction and r.validation is null and r.id > coalesce(after_run, 0) and r.id <= up_to_run
$$;
comment on function imago.moved_by_runs(text, text, integer, bigint, bigint) is 'Entities of a stage that runs of one direction have moved, of those after a run and up to another.';
