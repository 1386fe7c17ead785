create or replace function imago.own_schemas()
returns name[]
language sql
stable
set search_path = ''
as $$
  select array_agg(n.nspname order by n.nspname)
  from pg_catalog.pg_namespace n
  where n.nspname in ('imago', 'imago_undo') or exists (select from imago.plan p where p.name = n.nspname)
$$;
comment on function imago.own_schemas() is 'The schemas that belong to Imago: its own, that of the journal, and one a plan.';
