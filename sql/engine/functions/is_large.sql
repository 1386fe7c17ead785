create or replace function imago.is_large(relation text)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Of a partitioned table the partitions count; a plain one is not in its own partition tree.
  select coalesce(sum(pg_catalog.pg_relation_size(t.oid)), 0) >= imago.setting_number('direct_mb') * 1024 * 1024::bigint
  from (
    select pg_catalog.to_regclass(relation)::oid as oid
    union
    select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation)) p
  ) t
$$;
comment on function imago.is_large(text) is 'Whether a table has direct_mb megabytes or more: too large to be read as a whole within a call.';
