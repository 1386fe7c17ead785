create or replace function imago.roll_back(plan_name text, max_ms integer, force boolean default null, run_id bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  driven imago.run;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_size(null, max_ms);
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'rollback');
  end if;
  if run_id is not null then
    driven := imago.expect_run(plan_name, 'rollback', run_id);
    if driven.force <> force then
      perform imago.raise_error('IM007', driven.id::text, plan_name, 'force', driven.force::text, force::text);
    end if;
    return imago.work_run(driven.id, max_ms);
  end if;
  driven := imago.last_run(plan_name);
  if driven.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  if driven.direction <> 'rollback' or driven.state <> 'running' then
    -- Work on a run that is under way follows by itself.
    perform imago.follow_schema(plan_name);
  end if;
  begin
    driven := imago.start_rollback(plan_name, force);
  exception when sqlstate 'IM016' then
    return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp()) - 'migrated'
      || '{"run": null, "direction": "rollback", "rolled_back": 0}';
  end;
  return imago.work_run(driven.id, max_ms);
end
$$;
comment on function imago.roll_back(text, integer, boolean, bigint) is 'One call''s worth of taking a migration back: opens the rollback or finds it, and works.';
