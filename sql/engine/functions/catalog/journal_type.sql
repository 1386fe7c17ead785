create or replace function imago.journal_type(type oid, modifier integer)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  found_type pg_catalog.pg_type;
  element_kind "char";
begin
  select t.* into strict found_type from pg_catalog.pg_type t where t.oid = type;
  if found_type.typtype = 'd' then
    return imago.journal_type(found_type.typbasetype, found_type.typtypmod);
  end if;
  select t.typtype into element_kind from pg_catalog.pg_type t where t.oid = found_type.typelem;
  if found_type.typtype = 'e' or element_kind in ('e', 'd') then
    return 'text';
  end if;
  return pg_catalog.format_type(type, modifier);
end
$$;
comment on function imago.journal_type(oid, integer) is 'Type of a journaled column: the base type of a domain, text for enums, else its own.';
