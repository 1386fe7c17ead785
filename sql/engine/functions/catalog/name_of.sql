create or replace function imago.name_of(relation oid)
returns text
language sql
stable
set search_path = ''
as $$
  select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = name_of.relation
$$;
comment on function imago.name_of(oid) is 'A table as SQL writes it, with its schema.';
