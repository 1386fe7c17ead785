create or replace function imago.lists_null(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  result boolean;
begin
  execute format('select exists (select from %s where entity is null)', imago.plan_object(plan, 'pending')) into result;
  return result;
end
$$;
comment on function imago.lists_null(imago.plan) is 'Whether the view pending of a stage lists rows without a key.';
