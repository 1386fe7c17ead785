create or replace function imago.fail_prepare(plan_name text, run_id bigint, step text, failure text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.write_log(plan_name, run_id, 'error', 'prepare_failed', jsonb_build_object('step', step), null, left(failure, 5));
  if run_id is null then
    perform imago.raise_error('IM073', step, plan_name, failure);
  end if;
  perform imago.transition_run(run_id, 'fail', format('step %s of prepare failed', step), 'IM073', array[step, plan_name, failure]);
  return imago.prepare_answer(plan_name, step, 'failed');
exception when sqlstate 'IM016' or sqlstate 'IM008' then
  -- Somebody else holds the run, or has ended it.
  return imago.prepare_answer(plan_name, step, 'busy');
end
$$;
comment on function imago.fail_prepare(text, bigint, text, text) is 'What follows from a prepare step that failed, which has been taken back. The run fails with its name and SQLSTATE (IM073); without a run the call does.';
