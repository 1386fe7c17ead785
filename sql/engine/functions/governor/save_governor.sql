create or replace function imago.save_governor(governor imago.governor)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
begin
  update imago.governor g set
    level = governor.level, share = governor.share, looked_at = governor.looked_at, lsn = governor.lsn, wal_room = governor.wal_room,
    held_since = governor.held_since, held_until = governor.held_until,
    released_at = governor.released_at, backoff_ms = governor.backoff_ms, fine_looks = governor.fine_looks, fine_since = governor.fine_since,
    usual_active = governor.usual_active, usual_entity_ms = governor.usual_entity_ms,
    checkpoints = governor.checkpoints, checkpoints_at = governor.checkpoints_at,
    counting_since = governor.counting_since
  where g.plan = governor.plan;
  return governor;
end
$$;
comment on function imago.save_governor(imago.governor) is 'Writes what a look has decided, for all callers, and answers it.';
