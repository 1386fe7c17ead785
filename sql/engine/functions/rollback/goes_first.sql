create or replace function imago.goes_first(write imago.plan_write)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return write.inserts and write.deletes and not exists (select from imago.referencing_columns(write.plan, write.relation));
end
$$;
comment on function imago.goes_first(imago.plan_write) is 'Whether inserted rows make room before deleted ones come back to the same table. Where something refers to it, they go last.';
