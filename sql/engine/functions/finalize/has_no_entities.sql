create or replace function imago.has_no_entities(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  filled boolean;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    if pg_catalog.to_regclass(staged.source) is null then
      return false;
    end if;
    execute format('select exists (select from %s)', staged.source) into filled;
    if filled then
      return false;
    end if;
  end loop;
  return true;
end
$$;
comment on function imago.has_no_entities(imago.plan) is 'Whether all tables that a plan walks are there and empty.';
