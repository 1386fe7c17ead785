create or replace function imago.rebase_governor(governor imago.governor)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  since constant timestamptz := imago.counting_since();
begin
  if governor.counting_since is distinct from since or governor.checkpoints_at > now then
    governor.checkpoints := null;
    governor.checkpoints_at := null;
    governor.counting_since := since;
  end if;
  -- A standby that has been promoted may lack the end of what was written here.
  if governor.lsn > pg_catalog.pg_current_wal_insert_lsn() then
    governor.lsn := null;
  end if;
  if governor.looked_at > now then
    -- The clock has been put back: nothing lies in the future.
    governor.looked_at := null;
    governor.lsn := null;
    governor.held_since := least(governor.held_since, now);
    governor.held_until := least(governor.held_until, now + make_interval(secs => governor.backoff_ms / 1000.0));
    governor.released_at := least(governor.released_at, now);
    governor.fine_since := least(governor.fine_since, now);
  end if;
  return governor;
end
$$;
comment on function imago.rebase_governor(imago.governor) is 'Forgets what later looks cannot be compared with. After a restart, a crash, a failover or a reset of statistics, or where the clock has been put back.';
