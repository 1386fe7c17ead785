create or replace function imago.read_checkpoints(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query select '', (imago.requested_checkpoints() - governor.checkpoints)::numeric, null::numeric where governor.checkpoints is not null;
end
$$;
comment on function imago.read_checkpoints(imago.governor) is 'Signal checkpoints: those that were asked for since governor.checkpoints_at.';
