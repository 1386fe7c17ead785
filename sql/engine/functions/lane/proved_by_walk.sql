create or replace function imago.proved_by_walk(lane imago.lane)
returns boolean
language sql
stable
set search_path = ''
as $$
  select lane.moved_before is not distinct from sum(l.moved)
  from imago.lane l where l.run = lane.run and l.pass = lane.pass
$$;
comment on function imago.proved_by_walk(imago.lane) is 'Whether a walk of the late lanes that began when all lanes were done has found nothing to move: the other proof of completeness.';
