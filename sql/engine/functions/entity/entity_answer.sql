create or replace function imago.entity_answer(plan imago.plan, entity text, attempt imago.attempt, rolled_back boolean, started timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', entity_answer.plan.name, 'entity', entity, 'rolled_back', rolled_back,
    'restored', coalesce((select jsonb_object_agg(key, value) from jsonb_each(attempt.rows) where key !~ ':(removed|returned|detached)$'), '{}'),
    'removed', coalesce((select jsonb_object_agg(left(key, -8), value) from jsonb_each(attempt.rows) where key ~ ':removed$'), '{}'),
    'returned', coalesce((select jsonb_object_agg(left(key, -9), value) from jsonb_each(attempt.rows) where key ~ ':returned$'), '{}'),
    'detached', coalesce((select jsonb_object_agg(left(key, -9), value) from jsonb_each(attempt.rows) where key ~ ':detached$'), '{}'),
    'conflicts', coalesce((
      select jsonb_agg(jsonb_build_object('relation', f.table_name, 'key', f.row_key, 'reason', f.reason) order by f.id)
      from imago.failure f
      where f.plan = entity_answer.plan.name and f.stage = entity_answer.plan.stage and f.entity = entity_answer.entity and f.kind = 'conflict' and not rolled_back), '[]'),
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1)) || imago.stage_label(entity_answer.plan.stage)
$$;
comment on function imago.entity_answer(imago.plan, text, imago.attempt, boolean, timestamptz) is 'The JSON that rollback_entity and rollback_user_migration return.';
