create or replace function imago.end_checks_done(run imago.run)
returns numeric
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select (imago.validation_answer(v.id, v.state, false, clock_timestamp()) -> 'percentage')::numeric
    from imago.validation v
    where v.plan = run.plan and v.run = end_checks_done.run.id and v.state <> 'done' and run.state = 'running' and run.direction = 'forward');
end
$$;
comment on function imago.end_checks_done(imago.run) is 'How far the checks at the end of a run are, in percent; null when none are under way.';
