create or replace function imago.lists_null(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.ask_pending(plan, format('select to_jsonb(exists (select from %s where entity is null))', imago.plan_object(plan, 'pending')));
exception when sqlstate 'IM071' then
  -- Nothing is forgotten that may be there still.
  return true;
end
$$;
comment on function imago.lists_null(imago.plan) is 'Whether the view pending of a stage lists rows without a key, or cannot be read.';
