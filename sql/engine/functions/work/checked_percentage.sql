create or replace function imago.checked_percentage(run imago.run)
returns numeric
language sql
volatile
set search_path = ''
as $$
  select (imago.validation_answer(v.id, v.state, false, clock_timestamp()) -> 'percentage')::numeric
  from imago.validation v
  where v.plan = run.plan and v.run = checked_percentage.run.id and v.state <> 'done'
$$;
comment on function imago.checked_percentage(imago.run) is 'How far a run is with the checks at its end; null when it is not there.';
