create or replace function imago.identity_changed(relation text, columns text[], may_change_places boolean)
returns text
language sql
stable
set search_path = ''
as $$
  -- One look at each row; a join would be planned for as few rows as the first statement had. The old and the new rows come in the
  -- same order, so with its place in it a value that changed places with another one changes the sum.
  select case when may_change_places
    then format('(select %1$s from (select *, pg_catalog.row_number() over () as imago_place from old_rows) r)'
      ' is distinct from (select %1$s from (select *, pg_catalog.row_number() over () as imago_place from new_rows) r)', c.sums)
    else format('(select %1$s from old_rows r) is distinct from (select %1$s from new_rows r)', c.sums) end
  from (
    select string_agg(
      format('pg_catalog.sum(coalesce(pg_catalog.%s, %s), 0))',
        format(case
            when j.type = 'uuid' then 'uuid_hash_extended(r.%I'
            when j.type in ('smallint', 'integer', 'bigint') then 'hashint8extended(r.%I'
            else 'hashtextextended(r.%I::text collate "C"' end, j.name),
        case when may_change_places then format('r.imago_place * %s + %s', cardinality(columns), j.ordinal) else j.ordinal::text end), ' + ') as sums
    from imago.journal_columns(relation, columns) j
  ) c
$$;
comment on function imago.identity_changed(text, text[], boolean) is 'SQL for a trigger: whether one of these columns differs between the old and the new rows.';
