create or replace function imago.is_ours(routine oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select p.pronamespace in ('imago'::pg_catalog.regnamespace, 'imago_undo'::pg_catalog.regnamespace)
    or exists (select from imago.plan o where pg_catalog.to_regnamespace(quote_ident(o.name)) = p.pronamespace)
  from pg_catalog.pg_proc p where p.oid = routine
$$;
comment on function imago.is_ours(oid) is 'Whether a trigger''s function is the engine''s or a plan''s. What a trigger calls tells whose it is, not its name.';
