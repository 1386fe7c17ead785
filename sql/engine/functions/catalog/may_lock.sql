create or replace function imago.may_lock(relation text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return pg_catalog.has_any_column_privilege(pg_catalog.to_regclass(relation), 'update');
end
$$;
comment on function imago.may_lock(text) is 'Whether the current user may lock rows of a table: each way to do so asks for the right to update a column.';
