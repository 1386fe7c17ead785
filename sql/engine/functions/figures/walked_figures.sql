create or replace function imago.walked_figures(
  run imago.run,
  staged imago.plan,
  source_total bigint,
  source_rows bigint,
  aside bigint,
  out total bigint,
  out migrated bigint
)
language plpgsql
stable
set search_path = ''
as $$
declare
  all_rows constant boolean := imago.concerned_rows(staged) = staged.source and run.cohort is null;
  taken_back constant bigint := (
    select max(r.id) from imago.run r
    where r.plan = run.plan and r.direction = 'rollback' and r.state = 'succeeded' and r.id < run.id);
  moved bigint := imago.moved_by_runs(run.plan, 'forward', staged.stage, run.id - 1, run.id);
  earlier bigint := greatest(0, imago.moved_by_runs(run.plan, 'forward', staged.stage, taken_back, run.id - 1)
    - imago.moved_by_runs(run.plan, 'rollback', staged.stage, taken_back, run.id - 1));
  walk record;
  ahead numeric;
  behind numeric;
begin
  select
      coalesce(sum(l.processed) filter (where l.pass = 'main'), 0) as rows, coalesce(sum(l.moved) filter (where l.pass = 'main'), 0) as moved,
      coalesce(bool_and(l.done) filter (where l.pass = 'main'), false) as is_over, count(*) filter (where not l.done) as unfinished
    into walk
  from imago.lane l where l.run = walked_figures.run.id and l.stage = staged.stage;
  -- What statistics say holds for what lies ahead. What lies behind has been looked at.
  ahead := case when walk.is_over then 0 else source_total * (1 - least(1, walk.rows / greatest(1, source_rows))) end;
  behind := case when all_rows then walk.rows
    -- Of rows that were passed over it is not known why: earlier runs have moved them, or they do not concern the plan.
    else least(walk.rows, walk.moved + aside + earlier, greatest(walk.moved + aside, walk.rows * source_total / greatest(1, source_rows))) end;
  migrated := greatest(earlier + moved, case when all_rows then walk.rows - aside else 0 end);
  total := greatest(ceil(ahead + behind), migrated + aside + walk.unfinished);
end
$$;
comment on function imago.walked_figures(imago.run, imago.plan, bigint, bigint, bigint, out bigint, out bigint) is 'As estimate_figures, of a run forward that has not come to its end. What was moved is counted, what lies ahead of the lanes estimated.';
