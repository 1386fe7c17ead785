create or replace function imago.key_sql(key_column text, key_type text, row_name text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return format(case when key_column like '{%}' then 'row(%s)::%s' else '%s' end, imago.key_list(key_column, row_name), key_type);
end
$$;
comment on function imago.key_sql(text, text, text) is 'SQL: the key of a row, or what its columns name an entity by: one value, of several columns a record.';
