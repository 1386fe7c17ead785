create or replace function imago.note_counted(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Late passes, windows and runs of a cohort do not come to all rows.
  if run.direction = 'rollback' or run.late_only or run.cohort is not null or not imago.is_estimated(plan)
     or exists (select from imago.batch b where b.run = note_counted.run.id and b.path = 'window') then
    return;
  end if;
  update imago.run_stage t set counted = f.total, walked = w.rows, stated_rows = imago.estimated_rows(s.source)
  from imago.plan_stages(plan) s
  join imago.stage_figures(plan) f on f.stage = s.stage
  cross join lateral (
    select sum(l.processed) as rows from imago.lane l where l.run = note_counted.run.id and l.stage = s.stage and l.pass = 'main') w
  where t.run = note_counted.run.id and t.stage = s.stage and w.rows > 0;
end
$$;
comment on function imago.note_counted(imago.run, imago.plan) is 'Keeps what the walk of a large table has come to count, at the end of a run forward, for the figures after it.';
