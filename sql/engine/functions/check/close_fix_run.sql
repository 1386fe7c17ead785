create or replace function imago.close_fix_run(run imago.run)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_aside bigint;
begin
  select count(distinct (f.stage, f.entity)) into left_aside
  from imago.failure f where f.plan = run.plan and f.direction = 'forward' and f.kind <> 'held';
  if left_aside > 0 then
    perform imago.transition_run(run.id, 'fail', imago.counted(imago.find_plan(run.plan), left_aside) || ' set aside', 'set_aside');
  else
    perform imago.transition_run(run.id, 'succeed');
  end if;
end
$$;
comment on function imago.close_fix_run(imago.run) is 'Ends a run of fixes as any other: succeeded, or failed where entities are set aside.';
