do $$
declare
  api_role text;
  relation regclass;
begin
  foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_catalog.pg_roles r where r.rolname = api_role) then
      execute pg_catalog.format('revoke all on schema imago_fleet from %I', api_role);
      execute pg_catalog.format('revoke all on all tables in schema imago_fleet from %I', api_role);
      execute pg_catalog.format('revoke all on all routines in schema imago_fleet from %I', api_role);
    end if;
  end loop;
  revoke all on schema imago_fleet from public;
  revoke all on all tables in schema imago_fleet from public;
  revoke all on all routines in schema imago_fleet from public;
  for relation in
    select c.oid::pg_catalog.regclass from pg_catalog.pg_class c
    where c.relnamespace = 'imago_fleet'::pg_catalog.regnamespace and c.relkind = 'r' and not c.relrowsecurity
  loop
    execute pg_catalog.format('alter table %s enable row level security', relation);
  end loop;
end
$$;
