create or replace function imago.expect_indexes(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  missing record;
begin
  -- What is missing has been built, or left to a person; a rehearsal builds none.
  if current_setting('imago.dry', true) is distinct from 'on'
     and not exists (select from imago.plan_write w where w.plan = plan_name and w.left_unindexed <> '{}') then
    return;
  end if;
  select u.* into missing from imago.missing_indexes(plan_name) u where not u.is_small limit 1;
  if found then
    perform imago.raise_error('IM057', plan_name, missing.object, missing.statement);
  end if;
end
$$;
comment on function imago.expect_indexes(text) is 'Refuses (IM057) where a rollback would read all of a table that is not small for each entity. Nobody could build the index on it.';
