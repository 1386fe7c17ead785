create or replace function imago.migrate(
  plan_name text,
  max_ms integer,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default null,
  max_failures text default null,
  on_failure text default null,
  run_id bigint default null,
  cohort jsonb default null
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  driven imago.run;
  result jsonb;
begin
  perform imago.expect_size(batch_size, max_ms);
  perform imago.expect_options(backup, max_failures, on_failure, dry_run);
  perform imago.expect_session();
  if dry_run then
    return imago.dry_run(plan_name, 'sample', batch_size, max_ms, cohort => cohort);
  end if;

  if plan.closed_at is not null then
    return imago.work_answer((imago.last_run(plan_name)).id, 'done', '{}', '{}', statement_timestamp());
  end if;
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward');
  end if;
  begin
    driven := imago.forward_run(plan_name, backup, max_failures, on_failure, run_id, cohort);
  exception when sqlstate 'IM016' then
    -- The run that is wanted is not there yet; the last one must not be taken for it.
    return imago.work_answer((imago.last_run(plan_name)).id, 'busy', '{}', '{}', statement_timestamp()) || '{"run": null}';
  end;
  if driven.direction = 'rollback' then
    result := imago.work_run(driven.id, max_ms, batch_size);
    return result || case result ->> 'status'
      when 'done' then jsonb_build_object('status', 'failed', 'error', (select imago.run_error(r) from imago.run r where r.id = driven.caused_by))
      else '{}' end;
  end if;
  if driven.state in ('pending', 'running') and not exists (select from imago.lane l where l.run = driven.id) then
    if (imago.find_plan(plan_name)).prepared_at is null then
      result := imago.prepare_step(plan_name, driven.id);
      return imago.work_answer(driven.id, case result ->> 'status' when 'failed' then 'failed' else 'preparing' end, '{}', '{}', statement_timestamp())
        || jsonb_build_object('step', result -> 'step', 'warnings', result -> 'warnings', 'retry_after_ms', result -> 'retry_after_ms')
        || jsonb_strip_nulls(jsonb_build_object('held_ms', result -> 'held_ms', 'locks', result -> 'locks'));
    end if;
    perform imago.follow_schema(plan_name);
    begin
      perform imago.start_run(driven.id, batch_size);
    exception when sqlstate 'IM016' then
      return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp());
    end;
  end if;
  return imago.work_run(driven.id, max_ms, batch_size);
end
$$;
comment on function imago.migrate(text, integer, integer, boolean, boolean, text, text, bigint, jsonb) is 'One call''s worth of a migration: opens the run or finds it, prepares, starts it and works; or rehearses all that.';
