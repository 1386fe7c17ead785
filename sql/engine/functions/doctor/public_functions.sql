create or replace function imago.public_functions()
returns oid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(p.oid), '{}')
  from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::pg_catalog.regnamespace
    and pg_catalog.obj_description(p.oid, 'pg_proc') ~ '^Imago( plan [a-z][a-z0-9_]*)?: '
$$;
comment on function imago.public_functions() is 'Our functions in schema public, the engine''s and the plans''; their comments say so.';
