-- The database itself, its schemas public and extensions, and the extensions that a new Supabase project has.

do $$
begin
  execute format('alter database %I owner to postgres', current_database());
end
$$;

alter schema public owner to postgres;
revoke create on schema public from public;

-- Usage of the schema only: no default privileges follow, so that a new table or function is closed to the API roles
-- until it is granted, as on every Supabase project since 2026-10-30.
grant usage on schema public to anon, authenticated, service_role;

create schema extensions;
grant usage on schema extensions to anon, authenticated, service_role;
grant all on schema extensions to postgres, dashboard_user;
alter default privileges in schema extensions grant all on tables to postgres with grant option;
alter default privileges in schema extensions grant all on routines to postgres with grant option;
alter default privileges in schema extensions grant all on sequences to postgres with grant option;

-- Where pg_graphql goes when it is created.
create schema graphql;
create schema graphql_public;
grant usage on schema graphql, graphql_public to postgres with grant option;
grant usage on schema graphql, graphql_public to anon, authenticated, service_role;

create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;
create extension pg_stat_statements with schema extensions;
create extension supabase_vault;

-- Empty, and for tables to be added to.
create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

-- As on Supabase: the Data API hears of every change of the schema and looks at it again.
create function extensions.pgrst_ddl_watch()
returns event_trigger
language plpgsql
as $$
begin
  notify pgrst, 'reload schema';
end
$$;

create event trigger pgrst_ddl_watch on ddl_command_end
  when tag in (
    'CREATE SCHEMA', 'ALTER SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE VIEW',
    'ALTER VIEW', 'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE TRIGGER', 'CREATE TYPE', 'ALTER TYPE', 'CREATE RULE', 'COMMENT'
  )
  execute function extensions.pgrst_ddl_watch();

create event trigger pgrst_drop_watch on sql_drop
  execute function extensions.pgrst_ddl_watch();
