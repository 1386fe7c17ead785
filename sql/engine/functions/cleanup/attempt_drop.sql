create or replace function imago.attempt_drop(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  return imago.drop_undo(plan.name);
exception
  when lock_not_available or deadlock_detected then
    return null;
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    perform imago.raise_error('IM041', 'journal', plan.name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan.name)).raised_by));
end
$$;
comment on function imago.attempt_drop(imago.plan) is 'Drops the journal of a plan, whole or not at all. Null where a lock was not granted, IM041 for errors.';
