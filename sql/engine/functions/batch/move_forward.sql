create or replace function imago.move_forward(run imago.run, plan imago.plan, keys text[], path text, fixed imago.plan_check default null, results jsonb default null)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
-- A table that fills while we work has no statistics, or those of when it was empty: without this the planner reads all
-- of it for each batch, and cached foreign key checks go on doing so.
set enable_seqscan = off
set jit = off
as $$
declare
  apply text := case when fixed.id is null then imago.plan_object(plan, 'apply') else format('%I.%I', plan.name, fixed.fix) end;
  app_path constant text := imago.app_search_path();
  result imago.attempt;
  todo record;
  still record;
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
  counts jsonb;
  uncaptured jsonb;
  deleted jsonb;
  write_id integer;
begin
  result.moved := 0;
  result.rows := '{}';
  keys := imago.lock_entities(plan, keys);
  -- A later statement than the lock: it sees what the transaction that held the entity before us has done.
  select * into todo from imago.still_to_move(plan, fixed, keys, app_path);
  if todo.amount = 0 then
    return result;
  end if;

  -- The number is drawn under the entity locks, so that for each entity batches are numbered in the order of their writes.
  insert into imago.batch (run, plan, direction, path, plan_check, journaled, size)
  values (run.id, plan.name, run.direction, path, fixed.id, run.backup, cardinality(todo.keys))
  returning id into result.batch;
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
    perform set_config('imago.gone_' || write_id, '0', true);
  end loop;
  counts := imago.rows_written(plan.name);
  uncaptured := imago.uncaptured_rows(plan.name);
  deleted := imago.deleted_rows(plan.name);
  -- What the app adds to an entity while it is being moved (a post, by a foreign key that does not wait for our lock) is
  -- moved with it. What is left after that is not to be moved by this plan.
  still := todo;
  for round in 1..3 loop
    perform set_config('imago.batch', plan.name || ':' || result.batch, true);
    perform set_config('search_path', app_path, true);
    if results is null then
      execute format('select %s($1::%s[])', apply, plan.key_type) using still.keys;
    else
      execute format('select %s($1::%s[], $2)', apply, plan.key_type)
      using still.keys, (select jsonb_object_agg(k, results -> k) from unnest(still.keys) k);
    end if;
    set constraints all immediate;
    perform pg_catalog.set_config('search_path', '', true);
    perform set_config('imago.batch', '', true);
    select * into still from imago.still_to_move(plan, fixed, todo.keys, app_path);
    exit when still.amount = 0;
  end loop;
  if still.amount > 0 then
    raise exception using
      errcode = case when fixed.id is null then 'IM010' else 'IM026' end, message = 'still to be moved', detail = to_jsonb(still.keys)::text;
  end if;
  if run.backup then
    perform imago.expect_captured(plan.name, uncaptured);
    perform imago.expect_nothing_deleted(plan.name, result.batch, deleted);
    perform imago.expect_deletes_owned(plan, result.batch, todo.keys);
    perform imago.compact_batch(result.batch, plan, todo.keys);
  end if;
  result.rows := imago.add_counts(imago.rows_written(plan.name), counts, -1);
  result.moved := todo.amount;
  update imago.batch b set
    moved = cardinality(todo.keys),
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_forward(imago.run, imago.plan, text[], text, imago.plan_check, jsonb) is 'Moves exactly these entities, or fixes what a check found of them, inside the caller''s subtransaction. Locks, looks again, applies, proves that nothing is left (else IM010, IM026) and settles the journal. results: of an external stage, by key, what its function gave.';
