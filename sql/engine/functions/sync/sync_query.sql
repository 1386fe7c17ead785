create or replace function imago.sync_query(sync imago.plan_sync, event text, query text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  start constant text := '^\s*with\s+(recursive\s+)?';
begin
  return format('with recursive %s%s %s',
    imago.sync_rows(sync, event),
    case when query ~* start then ',' else '' end,
    regexp_replace(rtrim(query, E' ;\n\t'), start, '', 'i'));
end
$$;
comment on function imago.sync_query(imago.plan_sync, text, text) is 'SQL: a query that reads new_rows and old_rows, with these put before it.';
