create or replace function imago.check_sequences(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('facts', '{}'::jsonb, 'findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', s.object,
    'message', format('its sequence %s gives %s next, and the largest value is %s', s.sequence, s.next_value, s.largest),
    'hint', s.statement)), '[]'))
  from imago.lagging_sequences(plan) s
$$;
comment on function imago.check_sequences(imago.plan) is 'Check: sequences that lag behind the values which the plan has copied, with the statement that sets each.';
