create or replace function imago.written_tables(relation text)
returns setof pg_catalog.regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  named constant pg_catalog.regclass := pg_catalog.to_regclass(relation);
begin
  if exists (select from pg_catalog.pg_class c where c.oid = named and c.relkind <> 'p') then
    return next named;
    return;
  end if;
  -- Foreign tables can have no transition tables, and on others' we can put nothing.
  return query
  select c.oid::pg_catalog.regclass
  from pg_catalog.pg_partition_tree(named) p
  join pg_catalog.pg_class c on c.oid = p.relid
  where c.oid = named or c.relkind in ('r', 'p') and pg_catalog.pg_has_role(c.relowner, 'usage')
  order by c.oid;
end
$$;
comment on function imago.written_tables(text) is 'A table and its partitions of all levels. A statement trigger fires for the one that the statement names, so each has ours.';
