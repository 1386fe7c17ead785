create or replace function imago.clear_set_aside(run imago.run, keys text[], stage integer)
returns void
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  delete from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.stage = clear_set_aside.stage and f.entity = any (keys)
    and f.kind in ('failed', 'deferred', 'too_large', 'unreachable')
    and exists (select from imago.failure any_failure where any_failure.plan = run.plan);
end
$$;
comment on function imago.clear_set_aside(imago.run, text[], integer) is 'Forgets failures of entities that have been moved since.';
