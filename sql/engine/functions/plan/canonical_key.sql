create or replace function imago.canonical_key(plan imago.plan, entity text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  result text;
begin
  execute format('select %s', imago.text_of_key(plan.key_type, '$1::' || plan.key_type)) into result using entity;
  return result;
end
$$;
comment on function imago.canonical_key(imago.plan, text) is 'A key as the journal and the lists of entities write it, whatever way somebody typed it.';
