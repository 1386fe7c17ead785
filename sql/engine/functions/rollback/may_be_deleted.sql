create or replace function imago.may_be_deleted(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again in each batch.
as $$
begin
  return exists (
    select from imago.stage_writes(plan) w
    join imago.plan_write o on o.plan <> plan.name and o.deletes and o.undo_table is not null
      and pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(w.relation));
end
$$;
comment on function imago.may_be_deleted(imago.plan) is 'Whether another plan may have deleted rows that the journal of this stage knows.';
