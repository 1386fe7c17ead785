create or replace function imago.side_changed(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- By image where values that are equal may differ, or have no equality; comparing whole rows would take longer than all the rest.
  select string_agg(
    case
      when c.comparable then format('o.%1$I is distinct from n.%1$I', c.name)
      when c.kept = 'text' then format('o.%1$I::text collate "C" is distinct from n.%1$I::text collate "C"', c.name)
      else format('pg_catalog.record_image_ne(row(o.%1$I), row(n.%1$I))', c.name)
    end, ' or ' order by c.comparable desc, c.ordinal)
  from imago.journal_columns(write.relation, imago.side_columns(write)) c
$$;
comment on function imago.side_changed(imago.plan_write) is 'SQL: whether a column that the plan does not declare differs between the old and the new row.';
