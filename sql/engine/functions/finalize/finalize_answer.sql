create or replace function imago.finalize_answer(plan_name text, step text, state text, warnings jsonb default '[]')
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'state', case when p.finalized_at is not null then 'finalized' else state end,
    'step', step, 'step_number', (select s.number from imago.finalize_steps(p) s where s.name = step),
    'steps', (select count(*) from imago.finalize_steps(p)),
    'closed', p.closed_at is not null, 'has_more', p.finalized_at is null,
    'retry_after_ms', case state when 'busy' then 300 else 0 end, 'warnings', coalesce(warnings, '[]'))
  from imago.plan p where p.name = plan_name
$$;
comment on function imago.finalize_answer(text, text, text, jsonb) is 'The JSON that finalize_migration returns.';
