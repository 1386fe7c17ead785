create or replace function imago.named_schemas(plan imago.plan)
returns setof text
language sql
stable
set search_path = ''
as $$
  select n.nspname::text
  from (
    select plan.source_schema as name
    union select t.source_schema from imago.plan_stage t where t.plan = named_schemas.plan.name
    union select (parse_ident(w.relation))[1] from imago.plan_write w where w.plan = named_schemas.plan.name
    union select (parse_ident(s.relation))[1] from imago.plan_sync s where s.plan = named_schemas.plan.name
  ) s
  join pg_catalog.pg_namespace n on n.nspname = s.name
$$;
comment on function imago.named_schemas(imago.plan) is 'The schemas of the tables that a plan walks, writes and follows.';
