create or replace function imago.late_walk_was_empty(lane imago.lane)
returns boolean
language sql
stable
set search_path = ''
as $$
  select lane.moved_before is not distinct from sum(l.moved)
  from imago.lane l where l.run = lane.run and l.pass = lane.pass
$$;
comment on function imago.late_walk_was_empty(imago.lane) is 'Whether a walk of the late lanes that began when all lanes were done has found nothing to move. The other proof of completeness.';
