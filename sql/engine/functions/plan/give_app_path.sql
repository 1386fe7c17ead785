create or replace function imago.give_app_path(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  path text := imago.app_search_path();
  routine pg_catalog.regprocedure;
begin
  -- A clause of the function's own is stronger than what its caller sets. Names in it are qualified, so it does the same under any path.
  for routine in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(plan_name))
      and (p.proname ~ '^apply(_[0-9]+)?$' or p.proname in (select c.fix from imago.plan_check c where c.plan = plan_name))
      and exists (select from unnest(p.proconfig) c where c = 'search_path=""')
      and p.prosrc !~ '\mapp_search_path\M'
  loop
    execute format('alter function %s set search_path to %s', routine, path);
  end loop;
end
$$;
comment on function imago.give_app_path(text) is 'Has apply and the fixes of a plan run under the app''s search_path where they declare an empty one. Triggers of the app then find their names.';
