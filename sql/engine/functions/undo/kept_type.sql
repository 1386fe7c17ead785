create or replace function imago.kept_type(plan imago.plan)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- As text a record is found in a fifth of the time, and written in half of it; and the journal does not hold on to its type.
  return case when cardinality(imago.key_names(plan.key_column)) > 1 then 'text' else plan.key_type end;
end
$$;
comment on function imago.kept_type(imago.plan) is 'The type by which the journal keeps the entities of a stage: that of the key, text for one of several columns.';
