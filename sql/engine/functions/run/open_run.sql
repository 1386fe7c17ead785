create or replace function imago.open_run(
  plan_name text,
  direction text,
  backup boolean default true,
  max_failures text default null,
  on_failure text default 'stop',
  force boolean default false,
  caused_by bigint default null,
  seen_run bigint default null
)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
  last imago.run;
  cohort jsonb;
begin
  if direction = 'forward' then
    perform imago.hold_plan(plan_name);
    cohort := imago.cohort_json(plan_name);
  end if;
  loop
    last := imago.last_run(plan_name);
    -- A caller that has created a run and not committed it yet is waited for, a bounded time.
    begin
      perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
      insert into imago.run as r (plan, direction, backup, max_failures, on_failure, force, caused_by, cohort, late_only)
      values (plan_name, direction, backup, max_failures, on_failure, force, caused_by, cohort,
              coalesce(direction = 'forward' and last.direction = 'forward' and last.cohort is not distinct from cohort
                       and (last.state = 'succeeded' or last.state = 'failed' and last.error_code = 'set_aside'), false))
      on conflict do nothing
      returning r.* into run;
      -- One that another caller had begun meanwhile was in no way where it has ended as well.
      if run.id is not null
         and exists (select from imago.run r where r.plan = plan_name and r.id > seen_run and r.id <> run.id) then
        delete from imago.run r where r.id = run.id;
        return null;
      end if;
      if run.id is not null then
        perform imago.reopen_plan(plan_name, direction);
        if current_setting('imago.dry', true) is distinct from 'on' then
          perform imago.forget_runs(plan_name);
        end if;
      end if;
    exception when lock_not_available or deadlock_detected then
      perform imago.raise_error('IM016', plan_name);
    end;
    exit when run.id is not null;
    run := imago.unfinished_run(plan_name);
    -- Null when that run has ended meanwhile.
    if run.id is not null or seen_run is not null then
      return run;
    end if;
  end loop;
  perform imago.write_log(plan_name, run.id, 'info', 'run',
    jsonb_build_object('direction', direction, 'backup', backup, 'force', force, 'on_failure', on_failure, 'max_failures', max_failures)
      || case when cohort is null then '{}' else jsonb_build_object('cohort', cohort) end);
  return run;
end
$$;
comment on function imago.open_run(text, text, boolean, text, text, boolean, bigint, bigint) is 'Creates a run, or returns the unfinished one that another caller has just created; IM016 while that is not committed. Null where another one than seen_run was begun and has ended meanwhile.';
