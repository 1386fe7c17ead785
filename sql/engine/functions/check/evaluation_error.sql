create or replace function imago.evaluation_error(plan_check imago.plan_check, plan imago.plan, sqlstate text, context text, message text, hint text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, evaluation_error.sqlstate, plan.name);
begin
  return jsonb_build_object('sqlstate', evaluation_error.sqlstate) || case
    when raiser.by_engine and evaluation_error.sqlstate like 'IM%'
    then jsonb_build_object('code', evaluation_error.sqlstate, 'message', evaluation_error.message, 'hint', evaluation_error.hint)
    else imago.error_json('IM029', plan_check.name, plan.name, imago.sqlstate_text(evaluation_error.sqlstate, raiser.raised_by)) end;
end
$$;
comment on function imago.evaluation_error(imago.plan_check, imago.plan, text, text, text, text) is 'Why a check could not be evaluated, as code, message, hint and sqlstate. What the engine says is passed on; of all else, whose text may hold values, only who raised it.';
