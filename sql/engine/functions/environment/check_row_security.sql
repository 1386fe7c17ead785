create or replace function imago.check_row_security(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', h::text, 'message', format('row level security applies to %s, who does not bypass it', current_user),
    'hint', case when pg_catalog.pg_has_role(c.relowner, 'usage') then format('alter table %s no force row level security;', h)
      else imago.owner_remedy(c.relowner) end) order by h::text), '[]'))
  from imago.hidden_relations(plan) h
  join pg_catalog.pg_class c on c.oid = h
$$;
comment on function imago.check_row_security(imago.plan) is 'Check: tables whose row level security hides rows from the role that Imago runs as.';
