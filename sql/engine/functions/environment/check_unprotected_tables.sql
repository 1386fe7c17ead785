create or replace function imago.check_unprotected_tables(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', t::text, 'message', 'has no row level security, and API roles have rights on it',
    'hint', format('alter table %s enable row level security; and write policies first.', t)) order by t::text), '[]'))
  from imago.plan_relations(plan) t
  join pg_catalog.pg_class c on c.oid = t
  where not c.relrowsecurity
    and exists (
      select from pg_catalog.pg_roles r
      where r.rolname in ('anon', 'authenticated')
        and pg_catalog.has_table_privilege(r.oid, c.oid, 'select, insert, update, delete'))
$$;
comment on function imago.check_unprotected_tables(imago.plan) is 'Check: tables without row level security that anon or authenticated have rights on.';
