create or replace function imago.outside_calls(routine oid)
returns text[]
language sql
stable
set search_path = ''
as $$
  -- What calls out on behalf of the app is named itself, and not by what it calls in turn.
  with reached as (
    select r.id, r.name, r.source, n.nspname in ('net', 'realtime', 'supabase_functions') as is_platform
    from imago.reached_functions(routine) r
    join pg_catalog.pg_proc p on p.oid = r.id
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  ), calls as (
    select name from reached where is_platform and id = routine
    union
    select lower(m[1])
    from reached
    cross join lateral regexp_matches(source,
      '\m((?:net\.|extensions\.|http\.)?http(?:_get|_post|_put|_patch|_delete|_head)?(?=\s*\()|supabase_functions\.http_request(?=\s*\()'
      || '|realtime\.(?:send|broadcast_changes)(?=\s*\()|(?:pg_catalog\.)?pg_notify(?=\s*\()|notify(?=\s+\w)|dblink\w*(?=\s*\())', 'gi') m
    where not is_platform
  )
  select coalesce(array_agg(name order by name), '{}') from calls
$$;
comment on function imago.outside_calls(oid) is 'By which functions a trigger of the app calls to the outside. As its source has them: web requests, broadcasts, notifications.';
