create or replace function imago.has_app_trigger(relation oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
declare
  written oid;
begin
  -- A partition may have triggers of its own, which fire for statements that name its parent. One after the other: joined, the
  -- planner would rather ask of every trigger there is whose it is.
  for written in
    select has_app_trigger.relation
    union all
    select p.relid from pg_catalog.pg_partition_tree(has_app_trigger.relation) p where p.level > 0
  loop
    if exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid = written and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 = 16
        and not imago.is_ours(t.tgfoid)) then
      return true;
    end if;
  end loop;
  return false;
end
$$;
comment on function imago.has_app_trigger(oid) is 'Whether a trigger of the app fires when rows of this table, or of a partition of it, are updated.';
