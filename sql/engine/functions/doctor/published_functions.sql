create or replace function imago.published_functions(plan_name text)
returns oid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(f.id), '{}')
  from unnest(imago.public_functions()) f(id)
  where exists (select from imago.added_object('pg_catalog.pg_proc'::pg_catalog.regclass, f.id, 0) a where a.plan = plan_name)
$$;
comment on function imago.published_functions(text) is 'The functions that a plan has in schema public.';
