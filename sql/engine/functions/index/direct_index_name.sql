create or replace function imago.direct_index_name(piece text, column_name text)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again for each index of a table.
as $$
declare
  -- Not the name that a statement of the app would give it: what bears it is ours, and what is left of it when a build is interrupted.
  name constant text := (select format('%s_%s_imago', c.relname, column_name) from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(piece));
begin
  return case when octet_length(name) <= 63 then name else 'imago_' || md5(name) end;
end
$$;
comment on function imago.direct_index_name(text, text) is 'Name of the index that a connection or pg_cron builds on a pointing column.';
