create or replace function imago.start_run(run_id bigint, size integer default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  plan imago.plan;
  dead jsonb;
begin
  if run.state not in ('pending', 'running') or exists (select from imago.lane l where l.run = run_id) then
    return run.state;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  perform imago.give_app_path(run.plan);
  -- What was handed out of a run before is not waited for.
  delete from imago.claimed_entity c where c.plan = run.plan;
  perform imago.cut_lanes(run, imago.next_stage(run, plan), size);
  insert into imago.run_stage (run, stage, total, source_rows)
  select run_id, s.stage, c.total, c.source_rows
  from imago.plan_stages(plan) s cross join lateral imago.count_source(s, imago.is_estimated(plan)) c;
  select coalesce(jsonb_object_agg(t.relation::text, t.dead), '{}') into dead from imago.table_states(plan) t;
  update imago.run r set
    total = (select sum(s.total) from imago.run_stage s where s.run = run_id), dead_before = dead
  where r.id = run_id;
  insert into imago.health (run) values (run_id);
  -- What is usual is measured again for each run.
  insert into imago.governor as g (plan) values (run.plan)
  on conflict on constraint governor_pkey do update set usual_active = null, usual_entity_ms = null;
  -- Paused before it began, and resumed, a run is running already.
  return case run.state when 'pending' then imago.transition_run(run_id, 'start') else run.state end;
end
$$;
comment on function imago.start_run(bigint, integer) is 'Cuts the first lanes of a run that has not begun and starts it. Others that come at the same time wait and find it started.';
