create or replace function imago.close_table(relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  role text;
begin
  -- Default privileges may have opened it, to any role.
  for role in
    select distinct case when a.grantee = 0 then 'public' else a.grantee::pg_catalog.regrole::text end
    from pg_catalog.pg_class c
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = close_table.relation::pg_catalog.regclass and a.grantee <> c.relowner
  loop
    execute format('revoke all on table %s from %s', relation, role);
  end loop;
end
$$;
comment on function imago.close_table(text) is 'For plans: takes a table or view that a step has just made from everybody but its owner. Default privileges may have opened it. Of a plan''s own schema this is done after each step.

Example: select imago.close_table(''public.avatars'')';
