create or replace function imago.sync_entity(sync imago.plan_sync, row_name text, entity_column text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  key_type constant text := (imago.plan_at_stage(imago.find_plan(sync.plan), sync.stage)).key_type;
  named constant text := imago.key_sql(entity_column, key_type, row_name);
begin
  if cardinality(imago.key_names(entity_column)) = 1 then
    return imago.text_of_key(key_type, named);
  end if;
  return format('case when num_nulls(%s) = 0 then %s end', imago.key_list(entity_column, row_name), imago.text_of_key(key_type, named));
end
$$;
comment on function imago.sync_entity(imago.plan_sync, text, text) is 'SQL: the entity that a row of a sync''s relation names, as text; null where one of its columns is.';
