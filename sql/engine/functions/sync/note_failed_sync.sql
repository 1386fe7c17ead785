create or replace function imago.note_failed_sync(sync imago.plan_sync, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- In the app's transaction, so nobody is waited for: what another one is writing about the same entities stays beside ours
  -- until the next time.
  delete from imago.sync_failure f
  where f.id in (
    select o.id from imago.sync_failure o
    where o.plan = sync.plan and o.stage = sync.stage and o.entity = any (note_failed_sync.entities)
    order by o.id for update skip locked);
  insert into imago.sync_failure (plan, stage, entity, relation)
  select sync.plan, sync.stage, k, sync.relation from unnest(note_failed_sync.entities) k;
end
$$;
comment on function imago.note_failed_sync(imago.plan_sync, text[]) is 'Notes for each entity which sync has failed for it last: one row an entity.';
