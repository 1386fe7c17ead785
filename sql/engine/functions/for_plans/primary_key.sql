create or replace function imago.primary_key(relation text)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select array_agg(a.attname::text order by k.position)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::smallint[]) with ordinality k(attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    -- Columns that the index only includes are no part of it.
    where i.indrelid = pg_catalog.to_regclass(relation) and i.indisprimary and k.position <= i.indnkeyatts);
end
$$;
comment on function imago.primary_key(text) is 'For plans: the columns of a table''s primary key in order; null where it has none, or is not there.

Example: select imago.primary_key(''public.users'')';
