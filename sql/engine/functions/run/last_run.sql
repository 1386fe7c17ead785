create or replace function imago.last_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r where r.plan = last_run.plan order by r.id desc limit 1
$$;
comment on function imago.last_run(text) is 'The newest run of the plan, or null.';
