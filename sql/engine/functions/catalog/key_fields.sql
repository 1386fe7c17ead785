create or replace function imago.key_fields(key_type text)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  -- A plain type is of PostgreSQL itself, and named without a schema.
  if strpos(key_type, '.') = 0 then
    return null;
  end if;
  return (
    select array_agg(a.attname::text order by a.attnum)
    from pg_catalog.pg_type t
    join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    where t.oid = pg_catalog.to_regtype(key_type) and t.typtype = 'c');
end
$$;
comment on function imago.key_fields(text) is 'The fields of a key that is a record, in order; null for a key of one column.';
