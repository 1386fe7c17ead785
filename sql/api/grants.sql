-- Supabase grants nothing on new objects any more, and older projects grant everything: so both ways are written out.
do $$
declare
  routine regprocedure;
  other record;
begin
  for routine in select p.oid from pg_proc p where p.pronamespace = 'imago'::regnamespace loop
    execute format('revoke all on routine %s from public, anon, authenticated', routine);
  end loop;
  -- Everybody may use the schema, for imago.in_batch(). So nobody may have got more in it by the default privileges of the project.
  for other in
    select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role
    from (
      select c.relowner as owner, c.relacl as acl from pg_class c where c.relnamespace = 'imago'::regnamespace
      union all
      select p.proowner, p.proacl from pg_proc p where p.pronamespace = 'imago'::regnamespace
    ) made
    cross join lateral aclexplode(made.acl) a
    where a.grantee <> made.owner and a.grantee <> 'service_role'::regrole
  loop
    execute format('revoke all on all tables in schema imago from %s', other.role);
    execute format('revoke all on all sequences in schema imago from %s', other.role);
    execute format('revoke all on all routines in schema imago from %s', other.role);
  end loop;
  -- install_check has seen to it that nobody else has functions of these names.
  for routine in
    select p.oid from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.proname in (
        'cancel_migration', 'claim_entities', 'cleanup_migration', 'dry_run_migration', 'expect_done', 'finalize_migration', 'forecast_migration', 'forget_entity',
        'give_up_column',
        'get_detailed_migration_progress', 'get_engine_version', 'get_migration_failures', 'get_migration_performance_stats', 'get_migration_plans',
        'get_migration_report', 'get_migration_statistics', 'get_run_history', 'inspect_installation', 'log_request', 'migrate_batch',
        'migrate_entity', 'migrate_user_to_avatar_centric', 'migrate_users_batch', 'notify_migrations', 'pause_migration',
        'prepare_migration', 'resume_migration', 'retry_failed_migrations', 'return_entities', 'rollback_all_migrations',
        'rollback_batch', 'rollback_entity', 'rollback_user_migration', 'schedule_migration', 'settle_notices', 'take_notices', 'throttle_migration',
        'unschedule_migration',
        'validate_migration'
      )
  loop
    perform imago.publish_function(null, routine);
  end loop;
end
$$;
revoke all on public.migration_log from public, anon, authenticated;
grant select on public.migration_log to service_role;
grant usage on schema imago to service_role;
-- Triggers of the app ask it as the role that writes.
grant usage on schema imago to public;
grant execute on function imago.in_batch() to public;
grant select on imago.log, imago.batch, imago.run, imago.plan_check to service_role;
