create or replace function imago.note_object(plan text, class oid, id oid, column_number integer, comment text default null)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.added as a (plan, type, names, arguments, object_id, column_number, noted_in, comment)
  select note_object.plan, o.type, o.object_names, o.object_args, id, note_object.column_number, 'imago.added'::pg_catalog.regclass, note_object.comment
  from pg_catalog.pg_identify_object_as_address(class, id, note_object.column_number) o
  on conflict (type, names, arguments) do update set
    plan = excluded.plan, object_id = excluded.object_id, column_number = excluded.column_number, noted_in = excluded.noted_in, comment = excluded.comment
$$;
comment on function imago.note_object(text, oid, oid, integer, text) is 'Notes an object, by its address, as added by a plan, or by the engine (plan null).';
