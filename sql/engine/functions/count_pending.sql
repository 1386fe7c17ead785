create or replace function imago.count_pending(plan imago.plan)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  result bigint;
begin
  if pg_catalog.to_regclass(format('%I.pending', plan.name)) is null then
    execute format('select count(*) from %I.%I', plan.source_schema, plan.source_table) into result;
  else
    execute format('select count(*) from %I.pending', plan.name) into result;
  end if;
  return result;
end
$$;
comment on function imago.count_pending(imago.plan) is 'Entities still to be moved, counted; before the plan is prepared, all of them.';
