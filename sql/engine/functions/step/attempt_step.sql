create or replace function imago.attempt_step(plan imago.plan, step imago.plan_step, closing boolean, allow_data_loss boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  outcome jsonb := '{"has_more": false, "warnings": []}';
  name text := coalesce(step.name, 'triggers of Imago');
  relation text;
  broken text;
  context text;
  raiser record;
begin
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  perform set_config('imago.allow_data_loss', case when allow_data_loss then 'on' else '' end, true);
  if closing then
    -- With the step itself: nothing is written in between that would not reach the other side.
    perform imago.remove_triggers(plan);
    update imago.plan p set closed_at = clock_timestamp() where p.name = plan.name;
  end if;
  if step.plan is not null then
    outcome := imago.run_step(step);
  end if;
  perform set_config('imago.allow_data_loss', '', true);
  return outcome;
exception
  when lock_not_available or deadlock_detected then
    perform imago.write_log(plan.name, null, 'warning', coalesce(step.phase, 'finalize') || '_deferred', jsonb_build_object('step', name), null, sqlstate);
    return null;
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    perform imago.raise_error('IM058', name, plan.name);
  when others or assert_failure then
    get stacked diagnostics relation = table_name, broken = constraint_name, context = pg_exception_context;
    raiser := imago.find_raiser(context, sqlstate, plan.name);
    if sqlstate like 'IM%' and not raiser.by_app then
      raise;
    end if;
    perform imago.raise_error('IM041', name, plan.name, concat_ws(', ', imago.sqlstate_text(sqlstate, case when raiser.by_app then raiser.raised_by end), nullif(relation, ''), nullif(broken, '')));
end
$$;
comment on function imago.attempt_step(imago.plan, imago.plan_step, boolean, boolean) is 'Does a finalize or clean-up step with a short lock timeout, whole or not at all. Null where a lock was not granted, IM041 for errors. The step that closes the way back removes our triggers in the same transaction.';
