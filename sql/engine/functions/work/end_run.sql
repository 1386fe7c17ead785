create or replace function imago.end_run(run imago.run, plan imago.plan, findings jsonb)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  finding jsonb;
  left_aside bigint;
begin
  perform imago.forget_moved(run, s) from imago.plan_stages(plan) s;
  select count(distinct (f.stage, f.entity)) into left_aside
  from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.kind <> 'held';
  begin
    if left_aside > 0 then
      perform imago.transition_run(run.id, 'fail', imago.counted(plan, left_aside) || ' set aside', 'set_aside');
    else
      perform imago.transition_run(run.id, 'succeed');
    end if;
  exception when sqlstate 'IM016' then
    return 'busy';
  end;
  update imago.run r set findings = end_run.findings where r.id = run.id;
  for finding in select f from jsonb_array_elements(findings) f loop
    perform imago.write_log(
      plan.name, run.id, case when finding -> 'found' = finding -> 'held' and finding -> 'error' = 'null' then 'info' else 'error' end,
      'finding', jsonb_strip_nulls(finding - 'name' || jsonb_build_object('check', finding -> 'name')));
  end loop;
  return 'done';
end
$$;
comment on function imago.end_run(imago.run, imago.plan, jsonb) is 'Ends a run that has nothing left to do: succeeded, or failed where entities are set aside; with what its checks have found. Outcome done, or busy.';
