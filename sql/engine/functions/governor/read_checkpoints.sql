create or replace function imago.read_checkpoints(governor imago.governor)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  if governor.checkpoints is null then
    return '{}';
  end if;
  return array[row('checkpoints', '', imago.requested_checkpoints() - governor.checkpoints, null)::imago.measurement];
end
$$;
comment on function imago.read_checkpoints(imago.governor) is 'Signal checkpoints: those that were asked for since governor.checkpoints_at.';
