create or replace function imago.forget_added(plan text, object text, column_name text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  address record;
  described record;
  note imago.added;
begin
  select * into address from imago.object_address(object, column_name);
  select a.* into note from imago.added_object(address.class, address.id, address.column_number) a where a.plan = forget_added.plan;
  if not found then
    return;
  end if;
  if note.comment = coalesce(pg_catalog.col_description(address.id, nullif(address.column_number, 0)),
                             pg_catalog.obj_description(address.id, address.class::pg_catalog.regclass::text)) then
    select * into described from pg_catalog.pg_identify_object(address.class, address.id, address.column_number);
    execute format('comment on %s %s is null', case address.column_number when 0 then described.type else 'column' end, described.identity);
  end if;
  delete from imago.added a where a.type = note.type and a.names = note.names and a.arguments = note.arguments;
end
$$;
comment on function imago.forget_added(text, text, text) is 'For plans: what the plan has added is the app''s own from now on, or is about to be dropped. For finalize and clean-up steps. Takes our comment away, unless somebody has changed it.

Example: select imago.forget_added(''avatars'', ''public.posts'', ''avatar_id'')';
