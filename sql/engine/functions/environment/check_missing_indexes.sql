create or replace function imago.check_missing_indexes(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'warning' and p.kind = 'no_index'
$$;
comment on function imago.check_missing_indexes(imago.plan) is 'Check: the indexes that the preflight misses, each with the statement to run.';
