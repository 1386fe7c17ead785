create or replace function imago.may_grant_role(role oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select not r.rolsuper and (pg_catalog.pg_has_role(current_user, r.oid, 'member with admin option')
    -- Before version 16 who may create roles may grant all of them; Supabase takes its own from that.
    or pg_catalog.current_setting('server_version_num')::integer < 160000 and m.rolcreaterole
      and r.rolname !~ '^(supabase_|pg_)' and r.rolname not in ('authenticator', 'dashboard_user', 'pgbouncer'))
  from pg_catalog.pg_roles r cross join pg_catalog.pg_roles m
  where r.oid = may_grant_role.role and m.rolname = current_user
$$;
comment on function imago.may_grant_role(oid) is 'Whether the current user may make itself a member of a role.';
