create or replace function imago.is_all_moved(plan text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_moving_run(plan);
begin
  return coalesce(run.direction = 'forward' and run.state = 'succeeded', false) and not exists (
    select from imago.run r where r.plan = is_all_moved.plan and r.state in ('pending', 'running', 'paused'));
end
$$;
comment on function imago.is_all_moved(text) is 'Whether all was moved and nobody is moving. Then a sync locks its entities for key share, as a foreign key does: it waits for rollbacks, and two writers of the app who update the entity later do not block each other. Otherwise for share, which batches wait for.';
