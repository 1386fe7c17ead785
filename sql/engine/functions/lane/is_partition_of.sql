create or replace function imago.is_partition_of(partition text, source text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_partition_ancestors(pg_catalog.to_regclass(partition)) a where a.relid = pg_catalog.to_regclass(source))
$$;
comment on function imago.is_partition_of(text, text) is 'Whether a table is (still) a partition of another, at any depth.';
