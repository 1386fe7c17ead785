create or replace function imago.reached_functions(routine oid)
returns table (id oid, name text, source text)
language sql
stable
set search_path = ''
as $$
  -- The source of a function is text, so what it calls is told by names alone: rather one too many than one too few.
  with recursive reached as (
    select p.oid, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) as source from pg_catalog.pg_proc p where p.oid = routine
    union
    select p.oid, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
    from reached r
    cross join lateral regexp_matches(r.source, '(?:"([^"]+)"|([[:alpha:]_][\w$]*))\s*\(', 'g') called
    join pg_catalog.pg_proc p on p.proname = coalesce(called[1], lower(called[2]))
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    where l.lanname in ('plpgsql', 'sql') and n.nspname !~ '^(pg_|information_schema$|imago)'
  )
  select r.oid, r.oid::pg_catalog.regproc::text, r.source from reached r
$$;
comment on function imago.reached_functions(oid) is 'A function, and those of the app that it names, and that these name.';
