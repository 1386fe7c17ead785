create or replace function imago.fingerprint_part(alias text, name text)
returns text
language sql
immutable
set search_path = ''
as $$
  -- A column that has been dropped leaves its place empty. By bytes: a collation may take other letters for the same.
  select case name when '' then 'null' else format('pg_catalog.hashtext(%I.%I::text collate "C")', alias, name) end
$$;
comment on function imago.fingerprint_part(text, text) is 'SQL expression: what one column adds to the fingerprint of a row.';
