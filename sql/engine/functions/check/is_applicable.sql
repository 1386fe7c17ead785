create or replace function imago.is_applicable(plan_check imago.plan_check)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return plan_check.routine is not null or imago.check_sql(plan_check) is not null;
exception when others or assert_failure then
  return true;
end
$$;
comment on function imago.is_applicable(imago.plan_check) is 'Whether this app has what a check looks at. Also where its query cannot be told: working on it says why.';
