create or replace function imago.entities_left(run imago.run, governor imago.governor)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  if governor.entity_room is null then
    return null;
  end if;
  return governor.entity_room - greatest(0, (select sum(l.moved + l.failed) from imago.lane l where l.run = run.id) - coalesce(governor.moved, 0));
end
$$;
comment on function imago.entities_left(imago.run, imago.governor) is 'Entities that may be moved before the next look; null: any number.';
