create or replace function imago.end_run(run imago.run, plan imago.plan, findings jsonb)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  finding jsonb;
  bloated jsonb;
begin
  perform imago.forget_moved(run, s) from imago.plan_stages(plan) s;
  perform imago.note_counted(run, plan);
  begin
    perform imago.conclude_run(run);
  exception when sqlstate 'IM016' then
    return 'busy';
  end;
  update imago.run r set findings = end_run.findings where r.id = run.id;
  for finding in select f from jsonb_array_elements(findings) f loop
    perform imago.write_log(
      plan.name, run.id, case when finding -> 'found' = finding -> 'held' and finding -> 'error' = 'null' then 'info' else 'error' end,
      'finding', jsonb_strip_nulls(finding - 'name' || jsonb_build_object('check', finding -> 'name')));
  end loop;
  -- Else what was seen first in this call.
  perform pg_catalog.pg_stat_clear_snapshot();
  for bloated in select b from jsonb_array_elements(imago.bloat(plan.name, run)) b loop
    perform imago.write_log(plan.name, run.id, case bloated -> 'statement' when 'null' then 'info' else 'warning' end, 'bloat', jsonb_strip_nulls(bloated));
  end loop;
  return 'done';
end
$$;
comment on function imago.end_run(imago.run, imago.plan, jsonb) is 'Ends a run that has nothing left to do: in the state that it comes to, with what its checks have found. Logs the dead rows that it leaves. Outcome done, or busy.';
