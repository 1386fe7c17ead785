create or replace function imago.has_app_trigger(relation oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = has_app_trigger.relation and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 = 16
      and not imago.is_ours(t.tgfoid))
    -- A partition may have triggers of its own, which fire for statements that name its parent.
    or exists (
      select from pg_catalog.pg_partition_tree(has_app_trigger.relation) p
      join pg_catalog.pg_trigger t on t.tgrelid = p.relid
      where p.level > 0 and t.tgparentid = 0 and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 = 16
        and not imago.is_ours(t.tgfoid));
end
$$;
comment on function imago.has_app_trigger(oid) is 'Whether a trigger of the app fires when rows of this table, or of a partition of it, are updated.';
