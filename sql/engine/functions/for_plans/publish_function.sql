create or replace function imago.publish_function(plan text, routine regprocedure)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format('revoke all on function %s from public, anon, authenticated', routine);
  execute format('grant execute on function %s to service_role', routine);
  perform imago.note_object(plan, 'pg_catalog.pg_proc'::pg_catalog.regclass, routine, 0);
end
$$;
comment on function imago.publish_function(text, regprocedure) is 'For plans: opens a function that the plan has in schema public to service_role alone, and notes it as ours. For registrations. The doctor looks at it, uninstalling drops it.

Example: select imago.publish_function(''profile_gigs'', ''public.get_user_profile_gig(integer)'')';
