create or replace function imago.unfinished_run(plan text)
returns imago.run
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  run imago.run;
begin
  select r.* into run from imago.run r
  where r.plan = unfinished_run.plan and r.state in ('pending', 'running', 'paused');
  return case when found then run end;
end
$$;
comment on function imago.unfinished_run(text) is 'The one run of the plan that has not ended, or null.';
