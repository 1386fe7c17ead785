create or replace function imago.is_owned(relation text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select pg_catalog.pg_has_role(c.relowner, 'usage') from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(relation));
end
$$;
comment on function imago.is_owned(text) is 'Whether a table belongs to the current user or to a role that it is a member of; null where there is no such table.';
