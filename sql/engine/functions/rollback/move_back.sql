create or replace function imago.move_back(run imago.run, plan imago.plan, keys anyarray, path text, careful boolean)
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
  result imago.attempt;
  conflicts jsonb := '[]';
  good keys%type;
  inserted record;
  restored record;
  journaled jsonb;
  sides jsonb;
  relations text[] := array(select w.relation from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null);
  before jsonb;
  after jsonb;
  present bigint;
  write_id integer;
  has_deletes constant boolean := exists (select from imago.stage_writes(plan) w where w.deletes);
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
begin
  result.moved := 0;
  result.rows := '{}';
  perform imago.lock_entities(plan, keys, alone => exists (
    select from imago.plan_sync s where s.plan = plan.name and s.installed_at is not null));
  select l.* into inserted from imago.lock_inserted(plan, keys) l;
  careful := careful or imago.may_be_lost(plan, keys::text[]) or imago.may_be_deleted(plan);
  insert into imago.batch (run, plan, direction, path, journaled, size)
  values (run.id, plan.name, 'rollback', path, false, cardinality(keys))
  returning id into result.batch;
  -- Later statements than the locks: they see references that transactions in flight have committed meanwhile.
  if careful then
    conflicts := imago.find_conflicts(run, plan, result.batch, keys::text[]);
  elsif inserted.is_edited and not run.force then
    raise exception using errcode = '40IM1', message = 'an inserted row was edited';
  end if;
  select coalesce(array_agg(k), '{}') into good from unnest(keys) k
  where k::text not in (select c ->> 'entity' from jsonb_array_elements(conflicts) c);

  if conflicts <> '[]' then
    result.bad_keys := imago.record_conflicts(run, conflicts, plan.stage);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name and f.kind = 'conflict') then
    delete from imago.failure f where f.plan = plan.name and f.kind = 'conflict' and f.stage = plan.stage and f.entity = any (good::text[]);
  end if;

  present := case conflicts when '[]' then inserted.present else (select l.present from imago.lock_inserted(plan, good) l) end;
  sides := imago.read_sides(plan, good);
  perform imago.hand_sides_over(plan, good);
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
  end loop;
  select jsonb_object_agg(c.relation, to_jsonb(c)) into before from imago.write_counters(relations) c;
  perform imago.open_back(plan, result.batch);
  journaled := imago.count_journaled(plan, good, of_rows => true);
  if has_deletes then
    -- First what deleted rows would collide with, then these, then what refers to them.
    select r.* into restored from imago.restore_rows(run, plan, good, careful, false) r;
    journaled := restored.journaled || journaled;
    result.rows := restored.counts;
    result.rows := imago.add_counts(result.rows, imago.remove_rows(plan, good, careful, true));
    result.rows := imago.add_counts(result.rows, imago.return_rows(plan, good));
  end if;
  select r.* into restored from imago.restore_rows(run, plan, good, careful, case when has_deletes then true end) r;
  journaled := restored.journaled || journaled;
  result.rows := imago.add_counts(result.rows, restored.counts);
  result.rows := imago.add_counts(result.rows, imago.remove_rows(plan, good, careful, case when has_deletes then false end));
  perform set_config('search_path', imago.app_search_path(), true);
  set constraints all immediate;
  perform pg_catalog.set_config('search_path', '', true);
  perform set_config('imago.back', '', true);
  select jsonb_object_agg(c.relation, to_jsonb(c)) into after from imago.write_counters(relations) c;
  perform imago.expect_own_deleted(result.rows, present, before, after);
  sides := imago.read_nested(plan, result.batch, good, sides);
  if sides <> '{}' then
    perform imago.restore_sides(plan, result.batch, sides);
  end if;
  perform imago.expect_taken_back(plan, good::text[], result.rows, case when careful or sides <> '{}' or has_deletes and exists (
    select from imago.stage_writes(plan) w where w.deletes and imago.has_insert_trigger(w.relation)) then null else present end, before, after, journaled);
  perform set_config('imago.batch', '', true);
  perform imago.forget_journal(plan, good, journaled);

  result.moved := cardinality(good);
  update imago.batch b set
    moved = result.moved,
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_back(imago.run, imago.plan, anyarray, text, boolean) is 'Takes entities back, inside the caller''s subtransaction, each whole or not at all. Locks, looks for conflicts, returns, restores, detaches, removes, forgets the journal. Not careful, it expects none and raises 40IM1 at the first sign of one.';
