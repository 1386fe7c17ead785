create or replace function imago.installed_functions()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with ours as (
    select p.*, n.nspname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any ((select imago.own_schemas())::name[]) and n.nspname <> 'imago_undo'
       or p.oid = any ((select imago.public_functions())::oid[])
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('%I.%I', p.nspname, p.proname),
    'arguments', pg_catalog.oidvectortypes(p.proargtypes),
    'body', md5(p.prosrc),
    'comment', md5(pg_catalog.obj_description(p.oid, 'pg_proc')),
    'definer', p.prosecdef,
    -- A procedure that commits can have no settings: ours set the path in each transaction.
    'path_is_set', p.prokind = 'p' or coalesce(p.proconfig, '{}') @> array['search_path=""'],
    'owner', p.proowner::pg_catalog.regrole::text,
    'open_to', imago.open_to(coalesce(p.proacl, acldefault('f', p.proowner))),
    'for_service_role', has_function_privilege('service_role', p.oid, 'execute')) order by p.nspname, p.proname), '[]')
  from (
    select * from ours
    union all
    -- A second one of the same name makes the Data API refuse both, and one that somebody dropped and made again is not ours any more.
    select p.*, 'public' from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::pg_catalog.regnamespace and p.oid not in (select o.oid from ours o)
      and p.proname in (select o.proname from ours o where o.nspname = 'public')
  ) p
$$;
comment on function imago.installed_functions() is 'Our functions, and what shares a name with one in schema public. Each with fingerprints of body and comment, owner, and who may call it.';
