create or replace function imago.has_app_trigger(relation oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  tables oid[] := array[relation];
  written oid;
begin
  -- A partition may have triggers of its own, which fire for statements that name its parent. One after the other: joined, the
  -- planner would rather ask of every trigger there is whose it is.
  if exists (select from pg_catalog.pg_class c where c.oid = relation and c.relkind = 'p') then
    tables := array(select p.relid from pg_catalog.pg_partition_tree(relation) p);
  end if;
  foreach written in array tables loop
    if exists (
      select from pg_catalog.pg_trigger t
      join pg_catalog.pg_proc p on p.oid = t.tgfoid
      where t.tgrelid = written and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 = 16
        -- Most are the engine's, which their schema tells for less.
        and case when p.pronamespace in ('imago'::pg_catalog.regnamespace, 'imago_undo'::pg_catalog.regnamespace) then false else not imago.is_ours(p.oid) end) then
      return true;
    end if;
  end loop;
  return false;
end
$$;
comment on function imago.has_app_trigger(oid) is 'Whether a trigger of the app fires when rows of this table, or of a partition of it, are updated.';
