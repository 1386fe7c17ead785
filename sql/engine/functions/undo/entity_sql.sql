create or replace function imago.entity_sql(write imago.plan_write, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  owner constant text := coalesce(write.entity_column, write.key_columns[1]);
  record_type constant text := imago.record_type(write.plan, write.stage);
begin
  if cardinality(imago.key_names(owner)) = 1 then
    return imago.key_list(owner, row_name);
  end if;
  return imago.text_of_key(record_type, imago.key_sql(owner, record_type, row_name));
end
$$;
comment on function imago.entity_sql(imago.plan_write, text) is 'SQL: the entity that a row of a declared write names, as its journal keeps it.';
