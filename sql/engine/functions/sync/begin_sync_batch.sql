create or replace function imago.begin_sync_batch(plan_name text, sync_position integer, entities text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  run imago.run;
  batch bigint;
begin
  select r.* into run from imago.run r
  where r.plan = plan_name and r.direction = 'forward' and r.validation is null and r.started_at is not null
  order by r.id desc limit 1;
  -- Before the first run nothing is moved, and what is written will be moved by it.
  if not found then
    return null;
  end if;
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if sync.creates and exists (select from imago.last_moving_run(plan_name) r where r.direction = 'rollback') then
    return null;
  end if;
  insert into imago.batch (run, plan, direction, path, journaled, size)
  values (run.id, plan_name, 'forward', 'sync', run.backup and sync.direction = 'forward', cardinality(entities))
  returning id into batch;
  -- In a batch of another plan, which may lie in one of this plan: what that one has counted is not forgotten. Too high a count
  -- only has more compacted.
  perform set_config('imago.fired_' || w.id, '0', true)
  from imago.plan_write w
  where w.plan = plan_name
    and (coalesce(current_setting('imago.batch', true), '') = '' or coalesce(current_setting('imago.fired_' || w.id, true), '') = '');
  return batch;
end
$$;
comment on function imago.begin_sync_batch(text, integer, text[]) is 'Opens the batch of one sync under the newest forward run. Null when there is nothing to do: no run yet, or a sync that creates while the plan goes back.';
