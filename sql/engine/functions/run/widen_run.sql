create or replace function imago.widen_run(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update imago.run_stage t set total = c.total
  from imago.plan_stages(plan) s cross join lateral imago.count_source(s, imago.is_estimated(plan)) c
  where t.run = widen_run.run.id and t.stage = s.stage;
  update imago.run r set
    cohort = imago.cohort_json(plan.name),
    total = coalesce((select sum(t.total) from imago.run_stage t where t.run = r.id), r.total)
  where r.id = run.id;
  -- Entities that the lanes have passed by are in it now.
  update imago.lane l set
    done = false, cursor_key = null, processed = 0, deferrals = 0, waits_for = null, look_timed_out = false, moved_before = null
  where l.run = widen_run.run.id;
  delete from imago.standstill s where s.run = widen_run.run.id;
end
$$;
comment on function imago.widen_run(imago.run, imago.plan) is 'Has an unfinished run take all that its plan takes now, from the first key on. The caller holds the run alone.';
