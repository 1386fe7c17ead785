create or replace function imago.unindexed_tables(relation text, name text)
returns setof pg_catalog.regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return query
  -- By the catalogue alone: nobody waits here for a session that is altering a partition.
  with recursive tree as (
    select pg_catalog.to_regclass(relation)::oid as id
    union all
    select h.inhrelid from tree t join pg_catalog.pg_inherits h on h.inhparent = t.id
  )
  select c.oid::pg_catalog.regclass
  from tree t
  join pg_catalog.pg_class c on c.oid = t.id and c.relkind = 'r'
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = name and not a.attisdropped
  where not exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indisvalid)
  order by c.oid;
end
$$;
comment on function imago.unindexed_tables(text, text) is 'A table, or those of its partitions that hold rows, as far as no index of theirs finds rows by a column.';
