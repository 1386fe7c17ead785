create or replace function avatars.first_column(relation text, variadic names text[])
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select n.name
    from unnest(names) with ordinality n(name, position)
    join pg_catalog.pg_attribute a
      on a.attrelid = pg_catalog.to_regclass(relation) and a.attname = n.name and a.attnum > 0 and not a.attisdropped
    order by n.position
    limit 1);
end
$$;
comment on function avatars.first_column(text, text[]) is 'The first of the names that the relation has as a column, or null.';
