create or replace function imago.key_of_check(plan_check imago.plan_check, out key_column text, out type text)
language plpgsql
stable
set search_path = ''
as $$
begin
  if cardinality(imago.key_names(plan_check.key_column)) > 1 then
    key_column := plan_check.key_column;
    type := imago.record_type(plan_check.plan, plan_check.stage);
  else
    select k.name, k.type into key_column, type from imago.walked_key(plan_check.source, plan_check.key_column) k;
  end if;
end
$$;
comment on function imago.key_of_check(imago.plan_check, out text, out text) is 'By which key a check walks its source. Several columns are the key of the check''s stage.';
