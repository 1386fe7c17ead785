create or replace function imago.last_effective_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r
  where r.plan = last_effective_run.plan
    and (r.state <> 'cancelled'
      or exists (select from imago.lane l where l.run = r.id and l.moved > 0)
      or exists (select from imago.batch b where b.run = r.id and b.moved > 0))
  order by r.id desc limit 1
$$;
comment on function imago.last_effective_run(text) is 'The newest run that tells where a plan stands: not one that was given up before it moved anybody.';
