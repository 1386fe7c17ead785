create or replace function imago.busy_answer(plan imago.plan, detailed boolean, fixes boolean, dry_run boolean, started timestamptz, run_id bigint default null)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(imago.validation_answer(max(v.id), 'busy', detailed, started), '{}') || jsonb_build_object(
    'plan', (busy_answer.plan).name, 'phase', coalesce(max(v.phase), imago.validation_phase(busy_answer.plan)),
    'status', 'busy', 'has_more', true, 'retry_after_ms', 100)
  from imago.validation v
  where v.plan = (busy_answer.plan).name and v.fixes = busy_answer.fixes and v.dry_run = busy_answer.dry_run
    and v.run is not distinct from run_id and v.state <> 'done'
$$;
comment on function imago.busy_answer(imago.plan, boolean, boolean, boolean, timestamptz, bigint) is 'What a second caller is answered: how far the validation was when the first one took it up.';
