create or replace function imago.entity_exists(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  result boolean;
begin
  execute format('select exists (select from %s s where %s)', plan.source, imago.same_key(plan, 's', '$1::' || plan.key_type))
    into result using entity;
  return result;
end
$$;
comment on function imago.entity_exists(imago.plan, text) is 'Whether the source has a row with this key.';
