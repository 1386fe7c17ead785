create or replace function profile_gigs.has_columns(relation text, variadic names text[])
returns boolean
language sql
stable
set search_path = ''
as $$
  select count(*) = cardinality(names)
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = any (names) and a.attnum > 0 and not a.attisdropped
$$;
comment on function profile_gigs.has_columns(text, text[]) is 'Whether the relation has all of these columns.';
