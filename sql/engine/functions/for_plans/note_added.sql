create or replace function imago.note_added(plan text, object text, column_name text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  address record;
  described record;
  said text;
begin
  select * into address from imago.object_address(object, column_name);
  if address.id is null then
    perform imago.raise_error('IM015', 'object', concat_ws('.', object, quote_ident(column_name)), 'a table, an index, a type, or a column of a table, that is there');
  end if;
  if coalesce(pg_catalog.col_description(address.id, nullif(address.column_number, 0)),
              case address.column_number when 0 then pg_catalog.obj_description(address.id, address.class::pg_catalog.regclass::text) end) is null then
    said := format('Added by Imago plan %s.', plan);
    select * into described from pg_catalog.pg_identify_object(address.class, address.id, address.column_number);
    execute format('comment on %s %s is %L', case address.column_number when 0 then described.type else 'column' end, described.identity, said);
  end if;
  perform imago.note_object(plan, address.class, address.id, address.column_number, said);
end
$$;
comment on function imago.note_added(text, text, text) is 'For plans: notes that a prepare step has just added a table, an index, a type or, with column_name, a column. Clean-up knows it by that, and by that only; people by the comment that it gets, if it has none.

Example: select imago.note_added(''initials'', ''public.users'', ''initials'')';
