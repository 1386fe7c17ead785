create or replace function imago.tick(plan_name text, finalize boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  answer jsonb;
  failed_with text;
  context text;
  raiser record;
  detail jsonb := '{}';
begin
  -- The job stays, and goes on with the first tick that can write.
  if imago.read_only_reason() is not null then
    return jsonb_build_object('plan', plan_name, 'status', 'waiting') || imago.waiting_fields();
  end if;
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'tick')) then
    return jsonb_build_object('plan', plan_name, 'status', 'busy');
  end if;
  run := imago.unfinished_run(plan_name);
  if finalize or run.id is not null then
    begin
      answer := imago.drive_tick(plan_name, run, finalize);
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        failed_with := sqlstate;
      when others or assert_failure then
        failed_with := sqlstate;
        get stacked diagnostics context = pg_exception_context;
        raiser := imago.find_raiser(context, sqlstate, plan_name);
        detail := case when raiser.by_engine and sqlstate like 'IM%' then jsonb_build_object('message', sqlerrm)
          else jsonb_strip_nulls(jsonb_build_object('raised_by', raiser.raised_by)) end;
    end;
    if failed_with is not null then
      answer := jsonb_build_object('plan', plan_name, 'run', run.id, 'status', 'error', 'code', failed_with) || detail;
      -- Nobody reads what a job raises, and it would take this line back with it.
      perform imago.write_log(plan_name, run.id, 'error', 'tick', detail, null, failed_with);
    end if;
  end if;
  perform imago.send_notices();
  perform imago.unschedule_ended(plan_name, finalize, failed_with);
  return coalesce(answer, jsonb_build_object('plan', plan_name, 'status', 'done'));
end
$$;
comment on function imago.tick(text, boolean) is 'What the pg_cron job of a plan runs: one call''s worth of its unfinished run, forward or back, or of finalize. Ticks that overlap leave the work to the first. Removes the job when nothing is left to do or an error will not pass.';
