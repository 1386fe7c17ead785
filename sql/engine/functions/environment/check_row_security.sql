create or replace function imago.check_row_security(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', t::text, 'message', format('row level security applies to %s, who does not bypass it', current_user),
    'hint', case when pg_catalog.pg_has_role(c.relowner, 'usage') then format('alter table %s no force row level security;', t) else imago.owner_remedy(c.relowner) end) order by t::text), '[]'))
  from imago.plan_relations(plan) t
  join pg_catalog.pg_class c on c.oid = t
  where c.relrowsecurity and (c.relforcerowsecurity or not pg_catalog.pg_has_role(c.relowner, 'usage'))
    and not exists (select from pg_catalog.pg_roles r where r.rolname = current_user and (r.rolbypassrls or r.rolsuper))
$$;
comment on function imago.check_row_security(imago.plan) is 'Check: tables whose row level security hides rows from the role that Imago runs as.';
