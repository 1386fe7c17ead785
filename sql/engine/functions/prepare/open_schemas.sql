create or replace function imago.open_schemas()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  schemas name[];
begin
  perform set_config('search_path', imago.app_search_path(), true);
  schemas := pg_catalog.current_schemas(false);
  perform pg_catalog.set_config('search_path', '', true);
  return query
    select 'warning', 'open_schema', format('schema %I', n.nspname),
      format('is open to %s: what they create there may be called by code of the app that runs with the rights of %s', string_agg(
        case a.grantee when 0 then 'everybody' else quote_ident(r.rolname) end, ', ' order by r.rolname), current_user),
      format('revoke create on schema %I from %s;', n.nspname, string_agg(
        case a.grantee when 0 then 'public' else quote_ident(r.rolname) end, ', ' order by r.rolname))
    from unnest(schemas) with ordinality s(name, place)
    join pg_catalog.pg_namespace n on n.nspname = s.name
    cross join lateral pg_catalog.aclexplode(n.nspacl) a
    left join pg_catalog.pg_roles r on r.oid = a.grantee
    where a.privilege_type = 'CREATE'
      and a.grantee <> n.nspowner
      -- Those of the platform may create wherever they want, with or without this.
      and (a.grantee = 0 or not r.rolsuper and r.rolname not in (current_user, 'postgres', 'dashboard_user') and r.rolname !~ '^(supabase_.*admin|pg_.*)$')
    group by n.nspname, s.place
    order by s.place;
end
$$;
comment on function imago.open_schemas() is 'Schemas of the app''s search_path in which others than their owner and the platform may create. A function of theirs could be called by code of the app in place of its own.';
