create or replace function imago.add_cost(costs imago.cost[], cost imago.cost)
returns imago.cost[]
language sql
immutable
set search_path = ''
as $$
  select costs || row(
    coalesce(l.moved, 0) + cost.moved, coalesce(l.ms, 0) + cost.ms, coalesce(l.wal_bytes, 0) + cost.wal_bytes,
    coalesce(l.images, 0) + cost.images, coalesce(l.records, 0) + cost.records)::imago.cost
  from (select (costs[cardinality(costs)]).*) l
$$;
comment on function imago.add_cost(imago.cost[], imago.cost) is 'Costs so far, call after call, with those of one more.';
