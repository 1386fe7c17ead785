create or replace function imago.schema_remedy(schema oid, rights text)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when pg_catalog.pg_has_role(n.nspowner, 'usage') or (
        select bool_and(pg_catalog.has_schema_privilege(n.oid, trim(r) || ' with grant option')) from unnest(string_to_array(rights, ',')) r)
      then format('grant %s on schema %I to %I;', rights, n.nspname, current_user)
    else imago.owner_remedy(n.nspowner) end
  from pg_catalog.pg_namespace n where n.oid = schema_remedy.schema
$$;
comment on function imago.schema_remedy(oid, text) is 'What to do where the current user lacks rights on a schema: grant them, where it may, else as owner_remedy. Several are separated by commas.';
