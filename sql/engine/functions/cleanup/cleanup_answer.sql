create or replace function imago.cleanup_answer(plan_name text, step text, state text, freed jsonb default '{}', warnings jsonb default '[]')
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'state', state, 'step', step, 'has_more', state <> 'cleaned up',
    'retry_after_ms', case state when 'busy' then 300 else 0 end, 'warnings', warnings,
    'undo_tables', 0, 'log_rows', 0, 'batch_rows', 0, 'bytes_freed', 0) || freed
$$;
comment on function imago.cleanup_answer(text, text, text, jsonb, jsonb) is 'The JSON that cleanup_migration returns.';
