create or replace function imago.public_functions()
returns oid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(p.oid), '{}')
  from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::pg_catalog.regnamespace
    -- What a trigger calls that a plan has put on the app's tables for good stays with them.
    and p.prorettype <> 'pg_catalog.trigger'::pg_catalog.regtype
    and p.proname in (select a.names[2] from imago.added a where a.type = 'function')
    and exists (select from imago.added_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0))
$$;
comment on function imago.public_functions() is 'Our functions in schema public, the engine''s and the plans'': those that were published (imago.added).';
