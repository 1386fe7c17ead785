create or replace function imago.fingerprint(alias text, columns text[])
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'pg_catalog.hashtextextended(row(%s)::text, 0)',
    (select string_agg(format('%I.%I', alias, c), ', ') from unnest(columns) c))
$$;
comment on function imago.fingerprint(text, text[]) is 'SQL expression: the fingerprint of a row, for use where timezone and formats are fixed.';
