create or replace function imago.sequence_findings(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', s.object,
    'message', format('its sequence %s gives %s next, and the largest value is %s', s.sequence, s.next_value, s.largest),
    'hint', s.statement)), '[]')
  from imago.lagging_sequences(plan) s
$$;
comment on function imago.sequence_findings(imago.plan) is 'Sequences that lag behind copied values, as findings of a check; the hint is the statement that sets one right.';
