create or replace function imago.has_insert_trigger(relation text)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return exists (
    select from imago.written_tables(relation) w
    join pg_catalog.pg_trigger t on t.tgrelid = w and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 4 = 4
    where not imago.is_ours(t.tgfoid));
end
$$;
comment on function imago.has_insert_trigger(text) is 'Whether a trigger of the app fires when rows are inserted into this table, or into a partition of it.';
