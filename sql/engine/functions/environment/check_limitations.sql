create or replace function imago.check_limitations(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'warning' and coalesce(p.kind, '') not in ('no_index', 'guard_trigger')
$$;
comment on function imago.check_limitations(imago.plan) is 'Check: what else the preflight warns of.';
