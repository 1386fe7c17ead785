create or replace function imago.triggers_of(routine oid)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(case when t.place <= 3 then format('trigger %I on %I.%I', t.tgname, t.nspname, t.relname) else '…' end, ', ' order by t.place)
  from (
    select g.tgname, n.nspname, c.relname, row_number() over (order by n.nspname, c.relname, g.tgname) as place
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    -- A trigger of a partitioned table stands for those of its partitions.
    where g.tgfoid = routine and not g.tgisinternal and g.tgparentid = 0
  ) t
  where t.place <= 4
$$;
comment on function imago.triggers_of(oid) is 'The triggers that call a function, each with its table, for people; at most three, then dots.';
