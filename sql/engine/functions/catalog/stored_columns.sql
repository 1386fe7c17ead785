create or replace function imago.stored_columns(relation text)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select array_agg(a.attname::text order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = relation::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '');
end
$$;
comment on function imago.stored_columns(text) is 'Columns that hold data of their own: all but generated ones.';
