-- Supabase's roles on a fresh PostgreSQL. The login roles get their password from the setting imago.password of this session.

-- postgres is what a Supabase project hands out: it owns the database, and it is no superuser.
create role postgres login createrole createdb bypassrls replication;
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;

do $$
begin
  execute format('alter role postgres password %L', current_setting('imago.password'));
  execute format('alter role authenticator password %L', current_setting('imago.password'));
end
$$;

-- Whose services, and whose dashboard, are not here: they own what the services own, and nobody can sign in as one of them.
create role supabase_auth_admin nologin noinherit createrole;
create role supabase_storage_admin nologin noinherit createrole;
create role supabase_realtime_admin nologin noinherit createrole replication;
create role supabase_functions_admin nologin noinherit createrole;
create role supabase_replication_admin nologin replication;
create role supabase_read_only_user nologin bypassrls;
create role supabase_etl_admin nologin replication;
create role dashboard_user nologin createdb createrole replication;
create role pgbouncer nologin;

grant pg_monitor, pg_signal_backend to postgres;
grant pg_read_all_data to supabase_read_only_user, supabase_etl_admin;
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
grant supabase_functions_admin to postgres;
grant authenticator to supabase_storage_admin;
grant anon, authenticated, service_role to supabase_realtime_admin;

-- The timeouts of the Data API. service_role has none of its own: it inherits authenticator's.
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticated set statement_timeout = '8s';
alter role anon set statement_timeout = '3s';

alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = 60000;
alter role supabase_storage_admin set search_path = storage;
alter role supabase_realtime_admin set search_path = public, extensions, realtime;
alter role supabase_functions_admin set search_path = supabase_functions;

do $$
declare
  parameter text;
begin
  -- PostgreSQL 15 asks for no option to alter another role, and has no grants without the rights that come with membership.
  if current_setting('server_version_num')::integer >= 160000 then
    execute 'grant authenticator to postgres with admin true, inherit false, set false';
  end if;

  -- What postgres may set, also for others, though it takes a superuser elsewhere.
  foreach parameter in array '{
    log_lock_waits,log_min_duration_statement,log_min_messages,log_parameter_max_length,log_replication_commands,log_statement,
    log_temp_files,session_replication_role,track_io_timing,wal_compression,
    pgrst.db_aggregates_enabled,pgrst.db_anon_role,pgrst.db_config,pgrst.db_extra_search_path,pgrst.db_max_rows,pgrst.db_plan_enabled,
    pgrst.db_pre_request,pgrst.db_root_spec,pgrst.db_schemas,pgrst.db_tx_end,pgrst.jwt_aud,pgrst.jwt_role_claim_key,
    pgrst.openapi_mode,pgrst.server_cors_allowed_origins,pgrst.server_timing_enabled
  }'::text[] loop
    execute format('grant set on parameter %s to postgres', parameter);
  end loop;
end
$$;
