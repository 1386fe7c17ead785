create or replace function imago.move_window(plan_name text, batch_size integer, batch_offset integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  keys text[];
  todo text[];
  moves imago.moves;
  next_offset bigint;
  started timestamptz := clock_timestamp();
begin
  if batch_size is null or batch_offset is null then
    perform imago.raise_error('IM004', case when batch_size is null then 'batch_size' else 'batch_offset' end);
  end if;
  perform imago.check_size(batch_size);
  if batch_offset < 0 then
    perform imago.raise_error('IM003', batch_offset::text);
  end if;
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);

  execute format(
    'select coalesce(array_agg(k::text order by k), ''{}'') from (select %1$I as k from %2$I.%3$I order by %1$I limit $1 offset $2) window_keys',
    plan.key_column, plan.source_schema, plan.source_table)
  into keys using batch_size, batch_offset;
  select coalesce(array_agg(k order by n), '{}') into todo
  from unnest(imago.pending_keys(plan, keys)) with ordinality p(k, n)
  where k not in (select imago.set_aside_keys(plan_name, 'forward', false));
  -- One more than the deferrals that are allowed: a blocked user of a window is set aside at once, the others move.
  moves := imago.move_keys(run, plan, todo, 'window', greatest(1, cardinality(todo)), started + interval '6 s',
                           imago.setting_number('max_sub_batches'), imago.setting_number('deferrals'));
  next_offset := case when moves.outcome in ('done', 'budget') then imago.next_window(plan, batch_offset + cardinality(keys)) else batch_offset end;
  if next_offset is null then
    perform imago.finish_run(run, plan, started + interval '7 s')
    where not exists (select from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done)
       or imago.close_lanes(run.id);
  elsif moves.outcome = 'budget' then
    perform imago.stop_run(run, 'IM020', null);
  elsif moves.outcome = 'stop' then
    perform imago.stop_run(run, 'IM021', moves.sqlstate);
  end if;
  return jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'processed', cardinality(keys), 'migrated', moves.moved,
    'skipped', cardinality(keys) - moves.moved - moves.failed, 'failed', moves.failed,
    'has_more', next_offset is not null, 'next_offset', next_offset, 'rows', moves.rows,
    'status', case when moves.outcome in ('budget', 'stop') then 'failed' when next_offset is null then 'done' else 'working' end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1));
end
$$;
comment on function imago.move_window(text, integer, integer) is 'Moves the entities of one window over all entities in key order, and says where work is left.';
