create or replace function imago.count_stage(staged imago.plan)
returns bigint
language plpgsql
stable
set search_path = ''
-- As in remaining_entities: with old statistics and little memory allowed each entity would be asked for. Here as many may be pending as there are.
set work_mem = '128MB'
set jit = off
as $$
declare
  result bigint;
begin
  -- The view may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute case when pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is null
    then format('select count(*) from %s', staged.source)
    else format('select count(*) from (select distinct entity from %s) p', imago.plan_object(staged, 'pending')) end
  into result;
  perform pg_catalog.set_config('search_path', '', true);
  return result;
end
$$;
comment on function imago.count_stage(imago.plan) is 'Entities of a stage that are still to be moved, counted; before the plan is prepared, all of them.';
