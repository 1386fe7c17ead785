create or replace function imago.is_as_written(plan text, relation text, entity text, row_key text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  write imago.plan_write := (select w from imago.plan_write w where w.plan = is_as_written.plan and w.relation = is_as_written.relation);
begin
  if not imago.is_journaled(plan, relation, entity) then
    return false;
  end if;
  found_plan.stage := write.stage;
  found_plan.key_type := imago.entity_type(write.undo_table);
  return not exists (
    select from imago.edited_rows(found_plan, imago.kept_entities(write, array[entity])) e
    where e.relation = is_as_written.relation and e.row_key = is_as_written.row_key);
end
$$;
comment on function imago.is_as_written(text, text, text, text) is 'For plans: whether Imago wrote this row for the entity, and nobody has changed since what it wrote. A value that was put back to what it had been counts as unchanged, as for a rollback.

Example: select imago.is_as_written(''profile_gigs'', ''public."Gigs"'', ''7'', ''11'')';
