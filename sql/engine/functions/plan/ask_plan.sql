create or replace function imago.ask_plan(plan_name text, what text, question text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  answer jsonb;
  context text;
begin
  -- What belongs to the plan may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute question into answer;
  return answer;
exception when others or assert_failure then
  get stacked diagnostics context = pg_exception_context;
  perform imago.raise_unreadable(plan_name, what, sqlstate, context);
  raise;
end
$$;
comment on function imago.ask_plan(text, text, text) is 'Asks a view or function of a plan something, outside of a batch: one value, under the app''s search_path. Where it cannot be read, IM071 says what and who is to blame.';
