create or replace function imago.migrate_entity(plan_name text, entity text, stage integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
begin
  if entity is null then
    perform imago.raise_error('IM004', 'entity');
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  plan := imago.followed_plan(plan_name);
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  plan := imago.entity_stage(plan, entity, stage, false);
  if plan.name is null then
    perform imago.raise_error('IM013', plan_name, imago.plan_words(imago.find_plan(plan_name)) ->> 'entity_singular');
  end if;
  perform imago.expect_internal(plan);
  perform imago.expect_begun(plan);
  entity := imago.canonical_key(plan, entity);
  delete from imago.failure f
  where f.plan = plan_name and f.stage = plan.stage and f.entity = migrate_entity.entity and f.direction = 'forward';
  attempt := imago.attempt_batch(run, plan, array[entity], 'entity');
  perform imago.raise_attempt(plan, attempt);
  perform imago.expect_visible(plan_name);
  return jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'migrated', attempt.moved = 1, 'skipped', attempt.moved = 0,
    'rows', attempt.rows, 'run', run.id,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1)) || imago.stage_label(plan.stage);
end
$$;
comment on function imago.migrate_entity(text, text, integer) is 'Moves one entity now, whatever its lane is doing.';
