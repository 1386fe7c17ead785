-- Refuses before anything changes when a name that the engine needs is already somebody else's. Each plan's migration looks for its own.
do $$
declare
  taken text;
begin
  select string_agg(name, ', ' order by position, name) into taken
  from (
    select 1 as position, format('%s (returns %s)', p.oid::pg_catalog.regprocedure, pg_catalog.pg_get_function_result(p.oid)) as name
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::pg_catalog.regnamespace
      and p.proname in (
        'migrate_users_batch', 'migrate_batch', 'migrate_user_to_avatar_centric', 'dry_run_migration',
        'get_migration_statistics', 'rollback_user_migration', 'rollback_batch', 'rollback_all_migrations',
        'get_detailed_migration_progress', 'get_migration_performance_stats', 'get_migration_report', 'prepare_migration',
        'pause_migration', 'resume_migration', 'cancel_migration', 'retry_failed_migrations',
        'schedule_migration', 'unschedule_migration', 'throttle_migration', 'forecast_migration', 'notify_migrations', 'take_notices', 'settle_notices',
        'validate_migration', 'get_run_history', 'finalize_migration', 'cleanup_migration',
        'migrate_entity', 'rollback_entity', 'forget_entity', 'give_up_column', 'get_engine_version', 'get_migration_plans', 'get_migration_failures', 'inspect_installation', 'log_request', 'expect_done', 'claim_entities', 'return_entities'
      )
    union all
    -- Every table, view and composite type is a type as well.
    select 2, 'public.migration_log' where pg_catalog.to_regtype('public.migration_log') is not null
    union all
    select 3, 'schema ' || n.nspname from pg_catalog.pg_namespace n where n.nspname in ('imago', 'imago_undo')
  ) names;
  if taken is not null then
    raise exception using
      errcode = 'IM012',
      message = format('names that Imago needs are taken: %s', taken),
      hint = 'Rename or drop them, then push again; a plan that needs them can be left out (npx --no imago install --plans). This migration has changed nothing.';
  end if;
end
$$;
