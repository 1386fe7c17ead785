create or replace function imago.unfinished_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r
  where r.plan = unfinished_run.plan and r.state in ('pending', 'running', 'paused')
$$;
comment on function imago.unfinished_run(text) is 'The one run of the plan that has not ended, or null.';
