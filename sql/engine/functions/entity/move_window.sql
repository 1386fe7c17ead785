create or replace function imago.move_window(plan_name text, batch_size integer, batch_offset integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  keys text[];
  todo text[];
  moves imago.moves;
  ending imago.moves;
  indexing text;
  next_offset bigint;
  status text := 'working';
  attempts_left integer := imago.setting_number('max_sub_batches');
  started timestamptz := clock_timestamp();
begin
  if batch_size is null or batch_offset is null then
    perform imago.raise_error('IM004', case when batch_size is null then 'batch_size' else 'batch_offset' end);
  end if;
  perform imago.expect_size(batch_size);
  if batch_offset < 0 then
    perform imago.raise_error('IM003', batch_offset::text);
  end if;
  perform imago.expect_internal(s) from imago.plan_stages(plan) s;
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward') || jsonb_build_object('next_offset', batch_offset);
  end if;
  plan := imago.followed_plan(plan_name);
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);

  execute format(
    'select array(select %s from %s s order by %s limit $1 offset $2)',
    imago.text_of_key(plan.key_type, imago.key_of(plan, 's')), plan.source, imago.key_list(plan.key_column, 's'))
  into keys using batch_size, batch_offset;
  select coalesce(array_agg(k order by n), '{}') into todo
  from unnest(imago.pending_or_unknown(plan, imago.in_cohort(plan, keys))) with ordinality p(k, n)
  where k not in (select imago.set_aside_keys(plan_name, 'forward', false));
  -- Sub-batches start small: a window keeps no size from call to call, and one that timed out whole would do so again.
  -- No deferrals are left: what is blocked in a window is set aside at once, the others move.
  moves := imago.move_keys(run, plan, todo, 'window', 1, imago.call_deadline(6000), attempts_left, imago.setting_number('deferrals'));
  next_offset := batch_offset;
  if moves.outcome = 'done' then
    next_offset := imago.next_window(plan, batch_offset, cardinality(keys), moves.moved > 0);
  end if;

  if moves.outcome in ('budget', 'stop') then
    status := imago.stop_run(run, case moves.outcome when 'budget' then 'IM020' else moves.error_code end, moves.error_detail);
  elsif next_offset is null then
    perform imago.close_lanes(run.id);
    perform imago.look_around(run);
    loop
      indexing := imago.build_indexes(run, 'infinity');
      exit when indexing <> 'built' or imago.others_seen(run);
    end loop;
    -- What the checks at the end have found is looked at twice: something may have come meanwhile.
    -- Not while others wait for the end of this call.
    ending.outcome := indexing;
    for round in 1 .. case indexing when 'built' then 0 else 3 end loop
      ending := imago.finish_run(run, plan, imago.call_deadline(7000), attempts_left - moves.attempts);
      moves.moved := moves.moved + ending.moved;
      moves.rows := imago.add_counts(moves.rows, ending.rows);
      exit when ending.outcome <> 'working' or ending.moved > 0;
    end loop;
    status := 'done';
    -- Transactions in flight may bring more, or have brought more just now. In all other cases nothing is pending.
    if ending.outcome not in ('done', 'busy', 'incomplete') then
      status := case when ending.outcome in ('deferred', 'indexing') then 'deferred' else 'working' end;
      next_offset := batch_offset;
    end if;
  end if;
  perform imago.expect_visible(plan_name);
  return jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'status', status, 'processed', cardinality(keys), 'migrated', moves.moved,
    'skipped', greatest(0, cardinality(keys) - moves.moved - moves.failed), 'failed', moves.failed,
    'has_more', next_offset is not null, 'next_offset', next_offset, 'rows', moves.rows,
    'retry_after_ms', case when status in ('busy', 'deferred') then 200 else 0 end,
    'findings', (select r.findings from imago.run r where r.id = run.id),
    'error', case when status = 'failed' then imago.run_error(imago.last_run(plan_name)) end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1));
end
$$;
comment on function imago.move_window(text, integer, integer) is 'Moves the entities of one window over all entities in key order, and says where work is left.';
