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
      and not imago.is_ours(t.tgfoid));
end
$$;
comment on function imago.has_app_trigger(oid) is 'Whether a trigger of the app fires when rows of this table are updated.';
