create or replace function imago.waiting_answer(plan_name text, direction text)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.work_answer((imago.last_run(plan_name)).id, 'waiting', '{}', '{}', statement_timestamp()) - '{migrated,rolled_back}'::text[]
    || jsonb_build_object('plan', plan_name, 'run', null, 'direction', direction, case direction when 'forward' then 'migrated' else 'rolled_back' end, 0)
    || imago.waiting_fields() || jsonb_build_object('health', jsonb_build_object('share', 0, 'reasons', jsonb_build_array(
      jsonb_build_object('signal', 'read_only', 'level', 2, 'reason', imago.read_only_reason()))))
$$;
comment on function imago.waiting_answer(text, text) is 'What migrate_batch and rollback_batch return while the database is read-only: nothing was done, nothing is lost.';
