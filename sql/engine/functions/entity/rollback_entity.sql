create or replace function imago.rollback_entity(plan_name text, entity text, force boolean, stage integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  staged imago.plan;
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
begin
  if entity is null then
    perform imago.raise_error('IM004', 'entity');
  end if;
  if force is null then
    perform imago.raise_error('IM004', 'force');
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  plan := imago.followed_plan(plan_name);
  perform imago.expect_journal(plan_name);
  run := imago.entity_run(plan, 'rollback');
  run.force := force;
  run.direction := 'rollback';
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  perform imago.await_entity(plan, entity, stage);
  staged := imago.entity_stage(plan, entity, stage, true);
  if exists (
    select from imago.failure f
    where f.plan = plan_name and f.kind = 'forgotten' and f.stage = coalesce(staged.stage, rollback_entity.stage, 1)
      and f.entity = rollback_entity.entity) then
    perform imago.raise_error('IM075', plan_name, imago.plan_words(plan) ->> 'entity_singular');
  end if;
  if staged.name is null then
    return imago.entity_answer(imago.plan_at_stage(plan, coalesce(stage, 1)), entity, attempt, false, started);
  end if;
  entity := imago.canonical_key(staged, entity);
  if imago.keep_late_triggers(plan_name) = 'deferred' then
    perform imago.raise_error('IM016', plan_name);
  end if;
  attempt := imago.attempt_batch(run, staged, array[entity], 'entity');
  perform imago.raise_attempt(staged, attempt);
  perform imago.expect_visible(plan_name);
  if attempt.moved = 1 then
    run.direction := 'forward';
    perform imago.set_aside(run, entity, 'held', reason => 'rolled back alone', stage => staged.stage);
  end if;
  return imago.entity_answer(staged, entity, attempt, attempt.moved = 1, started);
end
$$;
comment on function imago.rollback_entity(text, text, boolean, integer) is 'Takes one entity back through the journal and holds it.';
