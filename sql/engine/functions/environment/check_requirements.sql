create or replace function imago.check_requirements(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'error'
$$;
comment on function imago.check_requirements(imago.plan) is 'Check: the errors of the preflight.';
