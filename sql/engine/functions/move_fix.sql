create or replace function imago.move_fix(run imago.run, plan imago.plan, keys text[], path text)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  plan_check imago.plan_check;
  result imago.attempt;
  wrong record;
  still record;
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
  counts jsonb;
  write_id integer;
begin
  select c.* into strict plan_check from imago.plan_check c where c.plan = plan.name and c.name = substr(path, length('fix ') + 1);
  result.moved := 0;
  result.rows := '{}';
  select * into wrong from imago.wrong_entities(plan_check, plan, imago.lock_entities(plan, keys));
  if wrong.amount = 0 then
    return result;
  end if;

  insert into imago.batch (run, direction, path, journaled, size)
  values (run.id, run.direction, path, run.backup, cardinality(wrong.keys))
  returning id into result.batch;
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
  end loop;
  counts := imago.rows_written(plan.name);
  still := wrong;
  for round in 1..3 loop
    perform set_config('imago.batch', result.batch::text, true);
    execute format('select %I.%I($1::%s[])', plan.name, plan_check.fix, plan.key_type) using still.keys;
    set constraints all immediate;
    perform set_config('imago.batch', '', true);
    select * into still from imago.wrong_entities(plan_check, plan, wrong.keys);
    exit when still.amount = 0;
  end loop;
  if still.amount > 0 then
    raise exception using errcode = 'IM026', message = 'left unsatisfied', detail = to_jsonb(still.keys)::text;
  end if;
  perform imago.settle_batch(result.batch, plan, wrong.keys);
  result.rows := imago.add_counts(imago.rows_written(plan.name), counts, -1);
  result.moved := wrong.amount;
  update imago.batch b set
    moved = cardinality(wrong.keys),
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_fix(imago.run, imago.plan, text[], text) is 'move_forward for a fix: lock, evaluate the check, fix, evaluate again (else IM026), settle the journal. Its result counts findings.';
