create or replace function imago.is_ours(routine oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select p.pronamespace in ('imago'::pg_catalog.regnamespace, 'imago_undo'::pg_catalog.regnamespace)
    or exists (select from imago.plan o where pg_catalog.to_regnamespace(quote_ident(o.name)) = p.pronamespace)
    or p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
      and exists (select from imago.added_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0))
  from pg_catalog.pg_proc p where p.oid = routine
$$;
comment on function imago.is_ours(oid) is 'Whether a trigger''s function is the engine''s or a plan''s, or one that a plan has left to the app. What a trigger calls tells whose it is, not its name.';
