create or replace function imago.check_undo_journal(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', coalesce((
      select jsonb_agg(distinct jsonb_build_object('object', p.object, 'message', p.message, 'hint', p.hint)) from imago.capture_problems(plan.name) p), '[]'),
    'facts', jsonb_build_object('undo_tables', (
      select count(*) from imago.plan_write w where w.plan = plan.name and w.captured_at is not null)))
$$;
comment on function imago.check_undo_journal(imago.plan) is 'Check: undo tables and capture triggers that are missing or do not fire.';
