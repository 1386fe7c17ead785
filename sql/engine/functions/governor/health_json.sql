create or replace function imago.health_json(plan text)
returns jsonb
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select jsonb_build_object(
      'share', g.share, 'held_since', g.held_since, 'waited_ms', floor(1000 * extract(epoch from clock_timestamp() - g.held_since)),
      'reasons', imago.governor_reasons(g.plan))
    from imago.governor g where g.plan = health_json.plan);
end
$$;
comment on function imago.health_json(text) is 'The field health of answers: the share of the time that runs of a plan work, and why it is not all of it.';
