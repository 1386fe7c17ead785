-- Refuses before anything changes when a name that Imago needs is already somebody else's.
do $$
declare
  taken text;
begin
  select string_agg(format('%s (returns %s)', p.oid::regprocedure, pg_catalog.format_type(p.prorettype, null)), ', ' order by p.oid)
    into taken
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'public'
    and p.proname in (
      'migrate_users_batch', 'migrate_batch', 'migrate_user_to_avatar_centric', 'dry_run_migration',
      'get_migration_statistics', 'rollback_user_migration', 'rollback_batch', 'rollback_all_migrations',
      'get_detailed_migration_progress', 'get_migration_performance_stats', 'prepare_migration',
      'pause_migration', 'resume_migration', 'cancel_migration', 'retry_failed_migrations'
    );
  if taken is not null then
    raise exception using
      errcode = 'IM012',
      message = format('names that Imago needs are taken in schema public: %s', taken),
      hint = 'Rename or drop these functions, then push again. Nothing has been changed.';
  end if;

  select string_agg(name, ', ') into taken
  from (
    select 'public.migration_log' as name where pg_catalog.to_regclass('public.migration_log') is not null
    union all
    select 'schema ' || nspname from pg_catalog.pg_namespace where nspname in ('imago', 'imago_undo')
  ) names;
  if taken is not null then
    raise exception using
      errcode = 'IM012',
      message = format('names that Imago needs are taken: %s', taken),
      hint = 'Rename or drop them, then push again. Nothing has been changed.';
  end if;
end
$$;
