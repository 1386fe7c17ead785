create or replace function imago.ensure_statistics(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
begin
  -- A rehearsal would hold what it has prepared meanwhile, and gets by with one lane.
  if current_setting('imago.dry', true) = 'on' then
    return;
  end if;
  for plan in select s.* from imago.plan_stages(imago.find_plan(plan_name)) s loop
    if not exists (
      select from pg_catalog.pg_stats s
      where s.schemaname = plan.source_schema and s.tablename = plan.source_table and s.attname = any (imago.key_names(plan.key_column))) then
      -- Those of others autovacuum analyzes.
      continue when not imago.is_owned(plan.source);
      execute 'analyze ' || plan.source;
    end if;
  end loop;
end
$$;
comment on function imago.ensure_statistics(text) is 'Analyzes the tables that are walked where it never was: lanes are cut by its statistics.';
