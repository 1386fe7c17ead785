create or replace function imago.over_budget(run imago.run)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select imago.count_failed(run.id) > imago.allowed_failures(run));
end
$$;
comment on function imago.over_budget(imago.run) is 'Whether more entities have failed in this run than max_failures allows.';
