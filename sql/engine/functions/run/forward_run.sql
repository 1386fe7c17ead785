create or replace function imago.forward_run(
  plan_name text,
  backup boolean,
  max_failures text,
  on_failure text,
  driven bigint default null,
  cohort jsonb default null
)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if driven is not null then
    run := imago.expect_run(plan_name, 'forward', driven);
    perform imago.expect_same_settings(run, backup, max_failures, on_failure);
    if cohort is not null and run.finished_at is null then
      perform imago.take_cohort(plan_name, cohort, true);
      select r.* into run from imago.run r where r.id = driven;
    end if;
    return run;
  end if;
  run := imago.unfinished_run(plan_name);
  if run.id is null then
    run := imago.last_run(plan_name);
    if run.direction = 'forward' and run.state = 'failed' and run.error_code <> 'set_aside' then
      return run;
    end if;
    -- A call that began before the run ended was meant for that run.
    if run.direction = 'forward' and run.state = 'succeeded' and run.finished_at > statement_timestamp()
       and not imago.is_wider(plan_name, cohort) then
      return run;
    end if;
    if cohort is not null then
      perform imago.take_cohort(plan_name, cohort);
    end if;
    run := imago.open_run(plan_name, 'forward', coalesce(backup, true), max_failures, coalesce(on_failure, 'stop'),
      seen_run => coalesce(run.id, 0));
    -- Another caller has begun one meanwhile, and it has ended: how it did decides.
    if run.id is null then
      return imago.forward_run(plan_name, backup, max_failures, on_failure, driven, cohort);
    end if;
  elsif cohort is not null and run.direction = 'forward' then
    perform imago.take_cohort(plan_name, cohort);
    select r.* into run from imago.run r where r.id = run.id;
  end if;
  if run.direction = 'rollback' then
    if run.caused_by is null then
      perform imago.raise_error('IM017', plan_name, plan_name);
    end if;
    return run;
  end if;
  perform imago.expect_same_settings(run, backup, max_failures, on_failure);
  return run;
end
$$;
comment on function imago.forward_run(text, boolean, text, text, bigint, jsonb) is 'The run that a forward call works on. The one that it says it drives, the unfinished one, a failed one that waits for a decision, the rollback that an error budget started, or a new one. It takes the cohort that the call asks for, too.';
