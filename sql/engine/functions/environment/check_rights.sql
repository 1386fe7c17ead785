create or replace function imago.check_rights(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', format('schema %I', s.name), 'message', format('role %s may not %s there', current_user, r.name),
    'hint', imago.schema_remedy(n.oid, r.name)) order by s.name, r.name), '[]'))
  from (
    select o.name, bool_or(o.is_owned) as is_owned
    from (
      select plan.source_schema as name, imago.is_owned(plan.source) is not false as is_owned
      union
      select n.nspname, pg_catalog.pg_has_role(c.relowner, 'usage') from imago.plan_relations(plan) t
      join pg_catalog.pg_class c on c.oid = t
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    ) o
    group by o.name
  ) s
  join pg_catalog.pg_namespace n on n.nspname = s.name
  -- Beside tables of others nothing is made.
  cross join unnest(case when s.is_owned then array['create', 'usage'] else array['usage'] end) r(name)
  where not pg_catalog.has_schema_privilege(n.oid, r.name)
$$;
comment on function imago.check_rights(imago.plan) is 'Check: rights on the schemas of the plan''s tables. Who does not own a table cannot prepare it either; the preflight names that.';
