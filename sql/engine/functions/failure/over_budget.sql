create or replace function imago.over_budget(run imago.run)
returns boolean
language sql
stable
set search_path = ''
as $$
  select imago.count_failed(run.id) > imago.allowed_failures(run)
$$;
comment on function imago.over_budget(imago.run) is 'Whether more entities have failed in this run than max_failures allows.';
