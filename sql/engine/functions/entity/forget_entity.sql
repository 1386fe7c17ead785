create or replace function imago.forget_entity(plan_name text, entity text, stage integer default null, still_there boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  staged imago.plan;
  is_there boolean;
  rows jsonb := '{}';
  left_rows jsonb := '{}';
  failures bigint;
  lines bigint;
begin
  if entity is null or still_there is null then
    perform imago.raise_error('IM004', case when entity is null then 'entity' else 'still_there' end);
  end if;
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  plan := imago.followed_plan(plan_name);
  if plan.key_type is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  staged := imago.entity_stage(plan, entity, stage, true);
  if staged.name is null then
    staged := imago.plan_at_stage(plan, coalesce(stage, 1));
  end if;
  begin
    entity := imago.canonical_key(staged, entity);
    -- A caller that is moving it just now is waited for.
    is_there := imago.lock_entities(staged, array[entity]) <> '{}';
  exception
    when data_exception then
      perform imago.raise_error('IM013', plan_name, (imago.entity_words(staged)).singular);
    when lock_not_available or deadlock_detected then
      perform imago.raise_error('IM025', (imago.entity_words(staged)).singular);
  end;
  if is_there and not still_there and plan.closed_at is null and imago.has_journal(staged, entity) then
    perform imago.raise_error('IM074', plan_name, (imago.entity_words(staged)).singular);
  end if;

  select f.rows, f.left_rows into rows, left_rows from imago.forget_values(staged, entity) f;
  delete from imago.failure f
  where f.plan = plan_name and f.stage = staged.stage and f.entity = forget_entity.entity and (not is_there or f.direction = 'rollback');
  get diagnostics failures = row_count;
  if is_there and rows <> '{}' then
    insert into imago.failure (plan, stage, entity, kind, direction, reason)
    values (plan_name, staged.stage, entity, 'forgotten', 'rollback', 'its journal was deleted');
  end if;
  update imago.cohort_taken t set keys = array_remove(t.keys, forget_entity.entity)
  where t.plan = plan_name and staged.stage = imago.first_walked(staged) and forget_entity.entity = any (t.keys);
  delete from imago.claimed_entity c where c.plan = plan_name and c.stage = staged.stage and c.entity = forget_entity.entity;
  delete from imago.sync_failure f where f.plan = plan_name and f.stage = staged.stage and f.entity = forget_entity.entity;
  delete from imago.lost_row l where l.plan = plan_name and l.stage = staged.stage and l.entity = forget_entity.entity;
  delete from imago.stray_row l where l.plan = plan_name and l.stage = staged.stage and l.entity = forget_entity.entity;
  lines := imago.forget_key(plan_name, staged.stage, entity);
  perform imago.write_log(plan_name, null, 'info', 'forgotten',
    jsonb_build_object('rows', rows, 'failures', failures, 'still_there', is_there) || imago.stage_label(staged.stage));
  return jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'still_there', is_there, 'forgotten', rows, 'left', left_rows,
    'failures', failures, 'log_lines', lines, 'way_back', false,
    'meaning', case
      when is_there and rows <> '{}' then 'It stays migrated: no rollback takes it back, whole or in part.'
      when left_rows <> '{}' then 'No rollback takes it back. Rows that the migration inserted for it are still there (left); they are the app''s own now.'
      else 'No rollback takes it back.' end) || imago.stage_label(staged.stage);
end
$$;
comment on function imago.forget_entity(text, text, integer, boolean) is 'Deletes what the journal holds of one entity, and its key from failures and log. Refuses while the entity is there and could go back (IM074), unless told.';
