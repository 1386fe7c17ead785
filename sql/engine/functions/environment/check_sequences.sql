create or replace function imago.check_sequences(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', imago.sequence_findings(plan), 'facts', '{}'::jsonb)
$$;
comment on function imago.check_sequences(imago.plan) is 'Check: sequences that lag behind the values which the plan has copied.';
