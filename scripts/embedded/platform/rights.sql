-- What the server extension supautils does on hosted Supabase. postgres owns no table of Auth, Storage and Realtime, and may not
-- alter them; but it may write policies on them, and drop the triggers that it put there.
--
-- For the time of such a statement, within its transaction, postgres is a member of the roles that own these tables.
create function extensions.lend_ownership()
returns event_trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  tables constant text := '(auth"?\s*\.\s*"?(audit_log_entries|flow_state|identities|instances|mfa_amr_claims|mfa_challenges|mfa_factors'
    '|one_time_tokens|refresh_tokens|saml_providers|saml_relay_states|sessions|sso_domains|sso_providers|users)'
    '|realtime"?\s*\.\s*"?(messages|subscription)'
    '|storage"?\s*\.\s*"?(buckets|objects|s3_multipart_uploads|s3_multipart_uploads_parts))';
begin
  -- The statement is known only by the text that the client sent, which may hold others; what lies elsewhere is the sender's anyway.
  if coalesce(nullif(current_setting('role'), 'none'), session_user) = 'postgres'
     and current_query() ~* ('\mon\s+"?' || tables || '\M') then
    grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres;
  end if;
end
$$;

create function extensions.take_ownership_back()
returns event_trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if pg_catalog.pg_has_role('postgres', 'supabase_auth_admin', 'member') then
    revoke supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin from postgres;
  end if;
end
$$;

create event trigger lend_ownership on ddl_command_start
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER')
  execute function extensions.lend_ownership();
create event trigger take_ownership_back on ddl_command_end
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER')
  execute function extensions.take_ownership_back();

-- Foreign servers take a right on the wrapper, which belongs to a superuser.
create function extensions.grant_postgres_fdw()
returns event_trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select from pg_catalog.pg_event_trigger_ddl_commands() c where c.object_identity = 'postgres_fdw') then
    grant usage on foreign data wrapper postgres_fdw to postgres with grant option;
  end if;
end
$$;

create event trigger grant_postgres_fdw on ddl_command_end
  when tag in ('CREATE EXTENSION')
  execute function extensions.grant_postgres_fdw();
