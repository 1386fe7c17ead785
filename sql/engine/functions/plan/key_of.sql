create or replace function imago.key_of(staged imago.plan, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.key_sql(staged.key_column, coalesce(staged.key_type, imago.found_key_type(staged)), row_name);
end
$$;
comment on function imago.key_of(imago.plan, text) is 'SQL: the key of a row of the table that a stage walks.';
