create or replace function imago.row_key(row_name text, relation text)
returns text
language sql
stable
set search_path = ''
as $$
  select format('pg_catalog.concat_ws('','', %s)', string_agg(format('%s.%I', row_name, k), ', ' order by n))
  from unnest(imago.primary_key(relation)) with ordinality u(k, n)
$$;
comment on function imago.row_key(text, text) is 'SQL: the primary key of a row as one text.';
