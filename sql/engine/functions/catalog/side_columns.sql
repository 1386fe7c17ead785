create or replace function imago.side_columns(write imago.plan_write)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(array_agg(c order by n), '{}')
    from unnest(imago.stored_columns(write.relation)) with ordinality s(c, n)
    where c <> all (write.columns || write.key_columns || imago.key_names(write.entity_column)));
end
$$;
comment on function imago.side_columns(imago.plan_write) is 'Columns of a declared relation that the plan does not write. What triggers of the app change in them is journaled beside.';
