create or replace function imago.expect_not_held(plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  run constant imago.run := imago.unfinished_run(plan.name);
  reason text;
begin
  if (imago.glance(plan, run, holds_rows => false)).share > 0 then
    return;
  end if;
  select string_agg(imago.reading_text(r), '; ') into reason
  from unnest(imago.take_readings(plan, run, (select g from imago.governor g where g.plan = plan.name), holds_rows => false)) r
  where r.level >= 2 and r.signal not in ('hours', 'waiters');
  perform imago.raise_error('IM088', plan.name, coalesce(reason, imago.hold_reason(plan.name)));
end
$$;
comment on function imago.expect_not_held(imago.plan) is 'For calls that have no status of their own: refuses while the server''s health holds the runs of a plan (IM088).';
