create or replace function imago.key_list(key_column text, row_name text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (select string_agg(format('%s.%I', row_name, c), ', ' order by n) from unnest(imago.key_names(key_column)) with ordinality u(c, n));
end
$$;
comment on function imago.key_list(text, text) is 'SQL: the columns of a row by which it is found and sorted, each by itself. A record made of them would be looked up by no index.';
