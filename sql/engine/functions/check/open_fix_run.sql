create or replace function imago.open_fix_run(plan imago.plan, validation_id bigint)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
begin
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    insert into imago.run as r (plan, direction, late_only, validation, cohort)
    values (plan.name, 'forward', true, validation_id, imago.cohort_json(plan.name))
    on conflict do nothing
    returning r.* into run;
    if run.id is not null then
      perform imago.reopen_plan(plan.name, 'forward');
    end if;
  exception when lock_not_available or deadlock_detected then
    perform imago.raise_error('IM016', plan.name);
  end;
  if run.id is null then
    run := imago.unfinished_run(plan.name);
    perform imago.raise_error('IM027', plan.name, coalesce(run.direction, 'forward'), coalesce(run.state, 'running'));
  end if;
  perform imago.expect_visible(plan.name);
  perform imago.follow_schema(plan.name);
  perform imago.start_run(run.id);
  -- Nothing is walked; the lanes are there for retry_failed_migrations, which opens them again.
  perform imago.close_lanes(run.id);
  select r.* into run from imago.run r where r.id = run.id;
  return run;
end
$$;
comment on function imago.open_fix_run(imago.plan, bigint) is 'A forward run for the fixes of one call; IM027 where another run is unfinished, IM016 where one is just being opened.';
