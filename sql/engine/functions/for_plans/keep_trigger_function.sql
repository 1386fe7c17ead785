create or replace function imago.keep_trigger_function(plan text, routine regprocedure)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format('revoke all on function %s from public, anon, authenticated, service_role', routine);
  perform imago.note_object(plan, 'pg_catalog.pg_proc'::pg_catalog.regclass, routine, 0);
end
$$;
comment on function imago.keep_trigger_function(text, regprocedure) is 'For plans: closes a trigger function that a step has made in schema public, and notes it. Nobody may call it, and triggers that do are not taken for the app''s. Finalizing and uninstalling leave both to the app.

Example: select imago.keep_trigger_function(''avatars'', ''public.expect_own_avatar()'')';
