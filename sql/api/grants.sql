-- Supabase grants nothing on new objects any more, and older projects grant everything: so both ways are written out.
do $$
declare
  routine regprocedure;
begin
  for routine in
    select p.oid from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'imago'
       or n.nspname = 'public' and pg_catalog.obj_description(p.oid, 'pg_proc') like 'Imago: %'
  loop
    execute format('revoke all on function %s from public, anon, authenticated', routine);
  end loop;
  for routine in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_catalog.obj_description(p.oid, 'pg_proc') like 'Imago: %'
  loop
    execute format('grant execute on function %s to service_role', routine);
  end loop;
end
$$;
revoke all on public.migration_log from public, anon, authenticated;
grant select on public.migration_log to service_role;
grant usage on schema imago to service_role;
grant select on imago.log, imago.batch, imago.run to service_role;
