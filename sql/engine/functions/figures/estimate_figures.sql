create or replace function imago.estimate_figures(
  run imago.run,
  staged imago.plan,
  source_total bigint,
  source_rows bigint,
  out total bigint,
  out migrated bigint
)
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Still pending, or for a rollback still migrated.
  aside constant bigint := (
    select a.unmoved + case run.direction when 'forward' then a.held else 0 end
    from imago.count_set_aside(run.plan, run.direction, staged.stage) a);
  begun imago.run_stage;
  forward imago.run;
begin
  if run.state in ('pending', 'running', 'paused') then
    select t.* into begun from imago.run_stage t where t.run = estimate_figures.run.id and t.stage = staged.stage;
    source_total := coalesce(begun.total, source_total);
    source_rows := coalesce(begun.source_rows, source_rows);
  end if;
  total := source_total;
  if run.id is null then
    migrated := 0;
  elsif run.late_only or run.state in ('succeeded', 'failed') and coalesce(run.error_code, 'set_aside') = 'set_aside' then
    if run.cohort is not null then
      -- The entities that it concerns are known from those that it has moved; their share of all is an estimate.
      migrated := (imago.walked_figures(run, staged, total, source_rows, aside)).migrated;
      total := migrated + aside;
    end if;
    migrated := case run.direction when 'forward' then greatest(0, total - aside) else aside end;
  elsif run.direction = 'forward' then
    select w.total, w.migrated into total, migrated from imago.walked_figures(run, staged, total, source_rows, aside) w;
  else
    -- Of the rollbacks since the last run forward, each has taken its part.
    select r.* into forward from imago.run r
    where r.plan = run.plan and r.direction = 'forward' and r.validation is null and r.id < run.id order by r.id desc limit 1;
    migrated := greatest(
      (imago.estimate_figures(forward, staged, total, source_rows)).migrated - imago.moved_by_runs(run.plan, 'rollback', staged.stage, forward.id, run.id),
      (select count(*) from imago.lane l where l.run = estimate_figures.run.id and l.stage = staged.stage and not l.done));
  end if;
  total := greatest(total, migrated);
end
$$;
comment on function imago.estimate_figures(imago.run, imago.plan, bigint, bigint, out bigint, out bigint) is 'How many entities a large stage concerns, and how many of them are migrated, as far as lanes tell. An unfinished lane has at least one to move, or to take back.';
