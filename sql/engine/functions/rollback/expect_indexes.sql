create or replace function imago.expect_indexes(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  missing record;
begin
  select u.* into missing from imago.missing_indexes(plan_name) u where not u.is_small limit 1;
  if found then
    perform imago.raise_error('IM057', plan_name, missing.object, missing.statement);
  end if;
end
$$;
comment on function imago.expect_indexes(text) is 'Refuses (IM057) where a rollback would read all of a table that is not small for each entity. Nobody could build the index on it.';
