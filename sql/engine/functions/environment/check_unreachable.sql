create or replace function imago.check_unreachable(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', imago.find_unreached(plan), 'facts', '{}'::jsonb)
$$;
comment on function imago.check_unreachable(imago.plan) is 'Check: what the view pending lists and the walked table does not have.';
