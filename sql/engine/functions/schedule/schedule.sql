create or replace function imago.schedule(plan_name text, every interval, finalize boolean, cohort jsonb default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  wanted record;
  job text := imago.job_name(plan_name);
  problems jsonb;
begin
  if every is null then
    perform imago.raise_error('IM004', 'every');
  elsif finalize is null then
    perform imago.raise_error('IM004', 'finalize');
  elsif finalize and cohort is not null then
    perform imago.raise_error('IM015', 'cohort', left(cohort::text, 60), 'none with finalize, which is for all');
  end if;
  select i.label, i.schedule into wanted from imago.cron_intervals() i where i.every = schedule.every;
  if not found then
    perform imago.raise_error('IM033', every::text);
  end if;
  perform imago.expect_cron();
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);

  -- A tick that ends the run decides under this lock whether the job goes: not between our look at the run and our job.
  perform pg_advisory_xact_lock(imago.plan_lock_key(plan_name, 'schedule'));
  if not finalize then
    run := imago.unfinished_run(plan_name);
  elsif plan.closed_at is null then
    perform imago.expect_finalizable(plan, (imago.find_pending(plan, imago.call_deadline(2000))).pending);
  end if;
  if (run.id is null or cohort is not null) and not finalize then
    -- In a job nobody would see what the preflight says.
    if run.id is null and not exists (select from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is not null) then
      select jsonb_agg(to_jsonb(p)) into problems from imago.preflight(plan) p;
      perform imago.expect_no_problems(plan_name, problems);
    end if;
    run := imago.forward_run(plan_name, null, null, null, cohort => cohort);
    if run.state = 'failed' then
      perform imago.raise_error('IM024', plan_name, plan_name);
    end if;
  end if;

  -- cron.schedule changes a job of the same name, but leaves it switched off.
  if not (imago.find_job(plan_name) ->> 'active')::boolean then
    perform cron.unschedule(job);
  end if;
  perform cron.schedule(job, wanted.schedule, imago.tick_statement(plan_name, finalize));
  perform imago.write_log(plan_name, run.id, 'info', 'scheduled', jsonb_build_object('job', job, 'every', wanted.label, 'finalize', finalize));
  return jsonb_build_object('plan', plan_name, 'job', job, 'scheduled', wanted.label, 'finalize', finalize,
    'run', run.id, 'direction', run.direction, 'state', run.state, 'cohort', imago.cohort_json(plan_name));
end
$$;
comment on function imago.schedule(text, interval, boolean, jsonb) is 'Has pg_cron call imago.tick for a plan at an interval. Opens a forward run where none is unfinished, unless it is to finalize.';
