create or replace function imago.installed_governor()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'reader', current_user,
    'reads_all', pg_catalog.pg_has_role(current_user, 'pg_monitor', 'usage'),
    'is_supabase', pg_catalog.to_regrole('supabase_admin') is not null,
    'max_connections', current_setting('max_connections')::integer,
    'wal_mb_per_s', imago.setting_size('wal_mb_per_s'))
$$;
comment on function imago.installed_governor() is 'With which rights the governor reads signals, and what tells the size of the server.';
