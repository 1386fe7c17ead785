create or replace function imago.added_object(class oid, id oid, column_number integer)
returns setof imago.added
language sql
stable
set search_path = ''
as $$
  select a.*
  from pg_catalog.pg_identify_object_as_address(class, id, added_object.column_number) o
  join imago.added a on a.type = o.type and a.names = o.object_names and a.arguments = o.object_args
  where a.noted_in <> 'imago.added'::pg_catalog.regclass
     or a.object_id = id and a.column_number = added_object.column_number
$$;
comment on function imago.added_object(oid, oid, integer) is 'The note that Imago has added an object, by its address. None for one that was dropped and made again since.';
