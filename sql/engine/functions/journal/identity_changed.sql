create or replace function imago.identity_changed(columns text[])
returns text
language sql
immutable
set search_path = ''
as $$
  -- The rows come in the same order, so values that changed places change the sum. One look at each row; a join would be
  -- planned for as few rows as the first statement had.
  select format('(select %s from (select *, pg_catalog.row_number() over () as imago_place from old_rows) r)'
      ' is distinct from (select %1$s from (select *, pg_catalog.row_number() over () as imago_place from new_rows) r)',
    string_agg(format('pg_catalog.sum(coalesce(pg_catalog.hashtextextended(r.%I::text collate "C", r.imago_place * %s + %s), 0))', c, cardinality(columns), n), ' + '))
  from unnest(columns) with ordinality u(c, n)
$$;
comment on function imago.identity_changed(text[]) is 'SQL for a trigger: whether one of these columns differs between the old and the new rows.';
