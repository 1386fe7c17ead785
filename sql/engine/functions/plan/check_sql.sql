create or replace function imago.check_sql(plan_check imago.plan_check)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  result text := plan_check.query;
begin
  if pg_catalog.to_regclass(plan_check.source) is null then
    return null;
  end if;
  if result is null then
    execute format('select %I.check_query($1)', plan_check.plan) into result using plan_check.name;
  end if;
  return result;
end
$$;
comment on function imago.check_sql(imago.plan_check) is 'SQL listing key and entity of what a check finds; null where this app has no such tables or columns.';
