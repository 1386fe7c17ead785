create or replace function imago.check_error(plan_check imago.plan_check, plan imago.plan, sqlstate text, context text, message text, hint text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, check_error.sqlstate, plan.name);
begin
  return jsonb_build_object('sqlstate', check_error.sqlstate) || case
    when raiser.by_engine and check_error.sqlstate like 'IM%'
    then jsonb_build_object('code', check_error.sqlstate, 'message', check_error.message, 'hint', check_error.hint)
    else imago.error_json('IM029', plan_check.name, plan.name, imago.sqlstate_text(check_error.sqlstate, raiser.raised_by)) end;
end
$$;
comment on function imago.check_error(imago.plan_check, imago.plan, text, text, text, text) is 'Why a check could not be evaluated, as code, message, hint and sqlstate. What the engine says is passed on; of all else, whose text may hold values, only who raised it.';
