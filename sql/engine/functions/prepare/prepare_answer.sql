create or replace function imago.prepare_answer(plan_name text, step text, status text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'step', step,
    'status', case when p.prepared_at is not null then 'prepared' else status end,
    'has_more', p.prepared_at is null,
    'retry_after_ms', case status when 'busy' then 300 else 0 end,
    'warnings', (
      select coalesce(jsonb_agg(l.detail order by l.id), '[]')
      from imago.log l where l.plan = plan_name and l.event = 'preflight' and l.level = 'warning' and l.created_at >= now()))
  from imago.plan p where p.name = plan_name
$$;
comment on function imago.prepare_answer(text, text, text) is 'The JSON that prepare_migration returns.';
