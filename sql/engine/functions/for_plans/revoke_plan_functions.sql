create or replace function imago.revoke_plan_functions(name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine regprocedure;
begin
  perform imago.find_plan(name);
  for routine in select p.oid from pg_catalog.pg_proc p where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(name)) loop
    execute format('revoke all on function %s from public, anon, authenticated', routine);
  end loop;
end
$$;
comment on function imago.revoke_plan_functions(text) is 'For plans: revokes the functions of a plan''s schema from everybody. The last statement of registration.sql.

Example: select imago.revoke_plan_functions(''initials'')';
