create or replace function imago.relation_bytes(relation text)
returns bigint
language plpgsql
stable
set search_path = ''
set lock_timeout = '10ms'
as $$
declare
  tables oid[];
begin
  -- Of a partitioned table the partitions count; a plain one is not in its own partition tree.
  select array_agg(t.oid) into tables
  from (
    select pg_catalog.to_regclass(relation)::oid as oid
    union
    select i.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation)) i
  ) t;
  return (select sum(pg_catalog.pg_relation_size(t.oid))::bigint from unnest(tables) t(oid));
exception when lock_not_available then
  -- Somebody alters a table: nobody waits for that to learn a size.
  return (
    with recursive parts as (
      select c.oid, c.relkind from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(relation)
      union
      select c.oid, c.relkind from parts p
      join pg_catalog.pg_inherits i on i.inhparent = p.oid and p.relkind = 'p'
      join pg_catalog.pg_class c on c.oid = i.inhrelid
    )
    select sum(greatest(c.relpages, 0))::bigint * current_setting('block_size')::bigint
    from parts p join pg_catalog.pg_class c on c.oid = p.oid);
end
$$;
comment on function imago.relation_bytes(text) is 'Bytes of a table and its partitions, without indexes and TOAST; as of the last analyze while somebody is altering one. Null where there is none.';
