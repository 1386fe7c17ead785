create or replace function imago.is_ours(routine oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  called record;
begin
  select p.pronamespace as schema_id, n.nspname::text as schema_name, p.proname::text as name, p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype as is_trigger
  into called
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where p.oid = routine;
  return called.schema_name in ('imago', 'imago_undo')
    or exists (select from imago.plan o where o.name = called.schema_name)
    -- As added_object has it, whose look at the address costs ten times as much: a trigger function has no arguments.
    or called.is_trigger
      and exists (
        select from imago.added a
        where a.type = 'function' and a.names = array[called.schema_name, called.name] and a.arguments = '{}'
          and (a.noted_in <> 'imago.added'::pg_catalog.regclass or a.object_id = routine));
end
$$;
comment on function imago.is_ours(oid) is 'Whether a trigger''s function is the engine''s or a plan''s, or one that a plan has left to the app. What a trigger calls tells whose it is, not its name.';
