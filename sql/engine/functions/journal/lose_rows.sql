create or replace function imago.lose_rows(plan_name text, relation text, entities text[], sqlstate text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  amount bigint;
begin
  -- As the plan declares it.
  insert into imago.lost_row (plan, relation, stage, entity)
  select w.plan, w.relation, w.stage, e.entity
  from imago.plan_write w
  cross join lateral unnest(coalesce(entities, array[null])) e(entity)
  where w.plan = plan_name and w.undo_table is not null and lose_rows.relation in (w.relation, imago.name_now(w.plan, w.relation))
    and not exists (
      select from imago.lost_row l
      where l.plan = w.plan and l.relation = w.relation and l.stage = w.stage and l.entity is not distinct from e.entity);
  get diagnostics amount = row_count;
  if amount = 0 then
    return;
  end if;
  perform imago.write_log(plan_name, null, 'warning', 'keys_lost',
    jsonb_strip_nulls(jsonb_build_object('relation', relation, 'entities', cardinality(entities), 'keys', entities[:10])), null, lose_rows.sqlstate);
end
$$;
comment on function imago.lose_rows(text, text, text[], text) is 'Notes and logs that journaled rows of these entities (null: of any) may have got keys that the journal does not know.';
