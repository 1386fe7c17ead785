create or replace function imago.find_plan(name text)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  found_plan imago.plan;
begin
  if name is null then
    perform imago.raise_error('IM004', 'plan');
  end if;
  select p.* into found_plan from imago.plan p where p.name = find_plan.name;
  if not found then
    perform imago.raise_error('IM001', name, coalesce((select string_agg(p.name, ', ' order by p.name) from imago.plan p), 'none'));
  end if;
  return found_plan;
end
$$;
comment on function imago.find_plan(text) is 'For plans: the row of the plan with this name, or IM001.

Example: select (imago.find_plan(''avatars'')).title';
