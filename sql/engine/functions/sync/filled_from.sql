create or replace function imago.filled_from(sync imago.plan_sync, plan imago.plan)
returns oid[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  explained json;
  tables oid[];
  is_same_type boolean;
begin
  -- Planned here, so that a query that does not fit the tables fails now.
  execute format('explain (verbose, format json) select %s from %s new', imago.fill_query(sync, true), sync.relation) into explained;
  -- A query of a partitioned table reads its partitions.
  with recursive read(relation) as (
    select format('%I.%I', n.node ->> 'Schema', n.node ->> 'Relation Name')::pg_catalog.regclass::oid
    from jsonb_path_query(explained::jsonb, 'strict $.**') n(node)
    where jsonb_typeof(n.node) = 'object' and n.node ? 'Relation Name' and n.node ->> 'Alias' <> 'new'
    union
    select i.inhparent from read r join pg_catalog.pg_inherits i on i.inhrelid = r.relation
  )
  select array_agg(r.relation) into tables from read r;
  execute format(
    'select pg_catalog.pg_typeof(f.filled) = pg_catalog.pg_typeof(f.%1$I)
     from (select) one left join lateral (select %2$s as filled, new.%1$I from %3$s new limit 0) f on true',
    sync.fills, imago.fill_query(sync, false), sync.relation)
  into is_same_type;
  if not is_same_type then
    perform imago.raise_error('IM035', sync.name, sync.plan, format('%s.%I of that type', sync.relation, sync.fills));
  elsif plan.source::pg_catalog.regclass::oid = any (tables) is not true
    -- Of a table that has no partition yet, nothing is read.
    and not exists (
      select from pg_catalog.pg_partition_tree(plan.source::pg_catalog.regclass) t having count(*) > 0 and bool_and(not t.isleaf)
    ) then
    perform imago.raise_error('IM035', sync.name, sync.plan, plan.source);
  end if;
  return tables;
end
$$;
comment on function imago.filled_from(imago.plan_sync, imago.plan) is 'The tables that the value comes from which a sync fills in. Fails (IM035) where the query does not read the entity, or is of another type than the column.';
