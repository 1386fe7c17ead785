create or replace function imago.compact_batch(batch bigint, plan imago.plan, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  entities text[];
  key_type text;
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and coalesce(nullif(current_setting('imago.fired_' || w.id, true), ''), '0')::integer > 1
  loop
    -- Triggers of the app may have written rows of entities that are not of this batch; rows of another stage all are.
    execute format(
      'select $2 || coalesce(array_agg(distinct n.entity::text), ''{}'') from imago_undo.%I n where n.batch = $1%s',
      write.undo_table, case when write.stage = plan.stage then ' and n.op = ''n''' else '' end)
    into entities using batch, case when write.stage = plan.stage then keys else '{}' end;
    key_type := imago.kept_type(imago.plan_at_stage(plan, write.stage));

    if write.deletes then
      perform imago.compact_deleted(write, key_type, batch, entities);
    end if;
    if write.inserts then
      perform imago.compact_inserted(write, key_type, batch, entities);
    end if;
    perform imago.compact_updated(write, key_type, batch, entities);
    if write.deletes then
      perform imago.fold_deleted(write, key_type, batch, entities);
    end if;
  end loop;
end
$$;
comment on function imago.compact_batch(bigint, imago.plan, text[]) is 'Brings the journal of a batch to one row for each row written. Only relations captured more than once need it.';
