create or replace function imago.entity_sql(write imago.plan_write, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.key_sql(coalesce(write.entity_column, write.key_columns[1]), imago.entity_type(write.undo_table), row_name);
end
$$;
comment on function imago.entity_sql(imago.plan_write, text) is 'SQL: the entity that a row of a declared write names, as its journal keeps it.';
