create or replace function imago.handle_failed_sync(
  plan_name text,
  sync_position integer,
  entities text[],
  sqlstate text,
  constraint_name text,
  table_name text,
  context text,
  began timestamptz
)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  raiser record := imago.find_raiser(context, handle_failed_sync.sqlstate, plan_name);
  waited_for boolean;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if handle_failed_sync.sqlstate in ('55P03', '40P01') and not raiser.by_app then
    -- Who waits for us, having written the side that we write to, is likely who we wait for, also where a third one stands
    -- between, who waits for the row that both want. One of the two has to let go before deadlock_timeout (1 s), or the detector
    -- picks a write of the app. The one that goes forward does, at once: the new side and its journal are as they were then, and
    -- the other one, which follows both, writes over both sides.
    waited_for := not sync."strict"
      and exists (
        select from imago.plan_sync o
        where o.plan = sync.plan and o.stage = sync.stage and o.direction <> sync.direction and (sync.direction = 'forward' or o."strict"))
      and exists (
        select from unnest(imago.waiting_behind()) l(pid)
        join pg_catalog.pg_locks h on h.pid = l.pid and h.granted and h.locktype = 'relation' and h.mode = 'RowExclusiveLock'
        join imago.plan_sync o on o.relation::pg_catalog.regclass = h.relation
        where o.plan = sync.plan and o.stage = sync.stage and o.direction <> sync.direction
          -- A batch gives way by itself, sooner than we need to.
          and not exists (
            select from pg_catalog.pg_locks m
            where m.pid = l.pid and m.relation = 'imago.run'::pg_catalog.regclass and m.mode = 'RowShareLock'));
    if not waited_for and clock_timestamp() < began + make_interval(secs => imago.setting_number('sync_wait_ms') / 1000.0) then
      return 'again';
    end if;
  end if;
  -- Unquoted, PL/pgSQL takes it for its own word.
  if sync."strict" then
    return 'raise';
  end if;
  perform imago.note_failed_sync(sync, entities);
  perform imago.write_log(plan_name, null, 'warning', 'sync_failed',
    jsonb_strip_nulls(jsonb_build_object(
      'sync', sync.name, 'relation', sync.relation, 'constraint', nullif(constraint_name, ''), 'table', nullif(table_name, ''),
      'raised_by', raiser.raised_by, 'entities', cardinality(entities), 'keys', case when cardinality(entities) > 1 then entities[:10] end)) || imago.stage_label(sync.stage),
    case when cardinality(entities) = 1 then entities[1] end, handle_failed_sync.sqlstate);
  return 'leave';
end
$$;
comment on function imago.handle_failed_sync(text, integer, text[], text, text, text, text, timestamptz) is 'What becomes of a sync that failed: again, raise or leave. again: a lock, for a while; raise: it is strict; leave: it is logged, and the entity stays pending.';
