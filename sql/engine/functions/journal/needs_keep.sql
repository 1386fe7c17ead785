create or replace function imago.needs_keep(write imago.plan_write)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return exists (select from imago.written_tables(write.relation) t where imago.has_app_trigger(t))
    or write.deletes and imago.has_insert_trigger(write.relation);
end
$$;
comment on function imago.needs_keep(imago.plan_write) is 'Whether triggers of the app may change columns of this relation that the plan does not declare, or rows that come back.';
