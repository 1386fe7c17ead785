create or replace function imago.index_of(relation text, name text)
returns pg_catalog.regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select i.indexrelid::pg_catalog.regclass
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = pg_catalog.to_regclass(relation) and a.attname = name and i.indisvalid
    limit 1);
end
$$;
comment on function imago.index_of(text, text) is 'An index that finds rows by a column, null if there is none.';
