create or replace function imago.enum_behind(type oid)
returns oid
language sql
stable
set search_path = ''
as $$
  -- Domains may be made of domains, and arrays of these.
  with recursive made as (
    select t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory from pg_catalog.pg_type t where t.oid = enum_behind.type
    union
    select t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory
    from made m
    join pg_catalog.pg_type t on t.oid = case when m.typtype = 'd' then m.typbasetype when m.typcategory = 'A' then m.typelem end
  )
  select m.oid from made m where m.typtype = 'e'
$$;
comment on function imago.enum_behind(oid) is 'The enum that a type is, or is made of by domains and arrays; null if there is none.';
