create or replace function imago.over_budget(run imago.run)
returns boolean
language sql
stable
set search_path = ''
as $$
  select count(*) > imago.allowed_failures(over_budget.run)
  from imago.failure f
  where f.run = over_budget.run.id and f.kind in ('failed', 'too_large')
$$;
comment on function imago.over_budget(imago.run) is 'Whether more entities have failed in this run than max_failures allows.';
