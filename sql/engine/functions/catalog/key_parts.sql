create or replace function imago.key_parts(key_type text, key text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select string_agg(format('(%s).%I', key, f), ', ' order by n) from unnest(imago.key_fields(key_type)) with ordinality u(f, n)), key);
end
$$;
comment on function imago.key_parts(text, text) is 'SQL: a key, field by field where it is a record. PostgreSQL sees the columns through the record that a view makes of them, and finds their index.';
