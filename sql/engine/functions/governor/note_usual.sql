create or replace function imago.note_usual(governor imago.governor, readings imago.reading[])
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  entity_ms constant numeric := (imago.reading_of(readings, 'pace', '')).value;
begin
  governor.usual_active := coalesce(governor.usual_active, (imago.reading_of(readings, 'active', '')).value);
  governor.usual_entity_ms := coalesce(governor.usual_entity_ms + (entity_ms - governor.usual_entity_ms) / 50, entity_ms, governor.usual_entity_ms);
  if governor.checkpoints_at is null or governor.checkpoints_at < clock_timestamp() - interval '5 minutes' then
    governor.checkpoints := imago.requested_checkpoints();
    governor.checkpoints_at := clock_timestamp();
  end if;
  return governor;
end
$$;
comment on function imago.note_usual(imago.governor, imago.reading[]) is 'Keeps what later looks compare with: usual activity, usual pace, checkpoints of five minutes ago.';
