create or replace function imago.same_key(staged imago.plan, row_name text, key text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return format('(%s) = (%s)', imago.key_list(staged.key_column, row_name), imago.key_parts(coalesce(staged.key_type, imago.found_key_type(staged)), key));
end
$$;
comment on function imago.same_key(imago.plan, text, text) is 'SQL: whether a row of the table that a stage walks has this key.';
