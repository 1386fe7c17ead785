create or replace function imago.end_sync_batch(batch bigint, plan_name text, sync_position integer, entities text[], uncaptured jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  plan imago.plan;
  write imago.plan_write;
  most integer;
  elsewhere boolean;
  number bigint := batch;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if (select b.journaled from imago.batch b where b.id = end_sync_batch.batch) then
    perform imago.expect_captured(plan_name, uncaptured);
  end if;
  select coalesce(max(f.fired), 0), coalesce(bool_or(f.fired > 0 and w.relation::pg_catalog.regclass <> sync.relation::pg_catalog.regclass), false)
    into most, elsewhere
  from imago.plan_write w
  cross join lateral (select coalesce(nullif(current_setting('imago.fired_' || w.id, true), ''), '0')::integer as fired) f
  where w.plan = plan_name;
  if most = 0 or sync.direction = 'back' then
    delete from imago.batch b where b.id = end_sync_batch.batch;
    return;
  end if;
  if elsewhere or most > 1 then
    plan := imago.plan_at_stage(imago.find_plan(plan_name), sync.stage);
  end if;
  if elsewhere then
    -- Rows of one entity may be written by two transactions that do not wait for each other before they come to the same row.
    -- A number drawn while that row is locked says who was first.
    update imago.batch b set id = default where b.id = end_sync_batch.batch returning b.id into number;
    for write in select w.* from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
      execute format(
        'update imago_undo.%I j set batch = $1 where j.batch = $2%s', write.undo_table,
        case when write.stage = plan.stage then format(' and (j.entity = any ($3::%s[]) or j.op = ''n'')', imago.kept_type(plan)) else '' end)
      using number, batch, entities;
    end loop;
  end if;
  if most > 1 then
    perform imago.compact_batch(number, plan, entities);
  end if;
  update imago.batch b set ms = round(extract(epoch from clock_timestamp() - b.created_at)::numeric * 1000, 3) where b.id = number;
end
$$;
comment on function imago.end_sync_batch(bigint, text, integer, text[], jsonb) is 'Ends the batch of one sync: proves that all was captured, settles what was captured more than once. A batch that the journal does not refer to is not kept.';
