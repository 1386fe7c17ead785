create or replace function imago.check_sql(plan_check imago.plan_check)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  result text := plan_check.query;
  within text;
begin
  if pg_catalog.to_regclass(plan_check.source) is null then
    return null;
  end if;
  if result is null then
    execute format('select %I.check_query($1)', plan_check.plan) into result using plan_check.name;
  end if;
  if result is not null then
    within := imago.cohort_sql(imago.plan_at_stage(imago.find_plan(plan_check.plan), plan_check.stage), 'found.entity');
  end if;
  -- An entity that runs do not take yet has nothing that could be wrong with it.
  return case when within <> 'true' then format('select found.* from (%s) found where found.entity is null or %s', rtrim(result, E' ;\n\t'), within) else result end;
end
$$;
comment on function imago.check_sql(imago.plan_check) is 'SQL that lists what a check finds among the entities that runs take: key and entity. Null where this app has no such tables or columns.';
