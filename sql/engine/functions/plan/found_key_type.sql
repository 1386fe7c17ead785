create or replace function imago.found_key_type(staged imago.plan)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case cardinality(imago.key_names(staged.key_column))
    when 1 then imago.key_type(staged.source, staged.key_column)
    else imago.record_type(staged.name, staged.stage) end;
end
$$;
comment on function imago.found_key_type(imago.plan) is 'The type of a stage''s keys as the app has it now. That of the column; of several columns the type key of the plan''s schema, key_<number> of a further stage.';
