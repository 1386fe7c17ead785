create or replace function imago.sync_is_settled(plan text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.migrating_run(plan);
begin
  return coalesce(run.direction = 'forward' and run.state = 'succeeded', false) and not exists (
    select from imago.run r where r.plan = sync_is_settled.plan and r.state in ('pending', 'running', 'paused'));
end
$$;
comment on function imago.sync_is_settled(text) is 'Whether all was moved and nobody is moving. Then a sync locks its entities for key share, as a foreign key does: it waits for rollbacks, and two writers of the app who update the entity later do not block each other. Otherwise for share, which batches wait for.';
