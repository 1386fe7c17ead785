create or replace function imago.forget_journal(plan imago.plan, keys anyarray, journaled jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null loop
    if (imago.go_back(write, 'forget', keys)).rows <> (journaled ->> write.relation)::bigint then
      perform imago.raise_changed_journal(write.relation);
    end if;
  end loop;
  delete from imago.lost_row l where l.plan = plan.name and l.stage = plan.stage and l.entity = any (keys::text[]);
  delete from imago.stray_row l where l.plan = plan.name and l.stage = plan.stage and l.entity = any (keys::text[]);
end
$$;
comment on function imago.forget_journal(imago.plan, anyarray, jsonb) is 'Deletes the journal of entities that are back: as many rows as were read of it.';
