create table imago.governor (
  plan text primary key references imago.plan on delete cascade,
  level integer not null default 0 check (level between 0 and 3),
  share numeric not null default 1 check (share between 0 and 1),
  looked_at timestamptz,
  lsn pg_lsn,
  wal_room bigint,
  held_since timestamptz,
  held_until timestamptz,
  released_at timestamptz,
  backoff_ms integer,
  fine_looks integer not null default 0,
  fine_since timestamptz,
  usual_active numeric,
  usual_entity_ms numeric,
  checkpoints bigint,
  checkpoints_at timestamptz,
  counting_since timestamptz,
  broadcast_at timestamptz
) with (fillfactor = 20);
comment on table imago.governor is 'What the governor has decided for the runs of a plan. One row a plan, written by whichever call gets its lock, at most once in look_ms.';
comment on column imago.governor.level is 'Worst of what was seen at the last look: 0 fine, 1 slow, 2 hold, 3 this call ends at once.';
comment on column imago.governor.share is 'Share of the time that each caller works; 0: the run is held.';
comment on column imago.governor.lsn is 'End of the write-ahead log at the last look.';
comment on column imago.governor.wal_room is 'Bytes that a call may write before it looks again; null: any number.';
comment on column imago.governor.held_until is 'Not to be released before, whatever is seen.';
comment on column imago.governor.backoff_ms is 'Shortest time of the hold that is on, in milliseconds. It is the setting of that name, twice as long each time that a run is held again within 30 seconds, at most 10 minutes.';
comment on column imago.governor.fine_looks is 'Looks in a row in which nothing kept the run from being released.';
comment on column imago.governor.usual_active is 'Sessions of others that were active when the run began.';
comment on column imago.governor.usual_entity_ms is 'What an entity usually takes: a slow mean over the looks of the run.';
comment on column imago.governor.checkpoints is 'Checkpoints on request that the server had made at checkpoints_at, the beginning of the five minutes that are looked at.';
comment on column imago.governor.counting_since is 'Since when the server had been counting at the last look. Another value: its counters are no measure for those of before.';
comment on column imago.governor.broadcast_at is 'When the figures of its run went to Realtime last; in the future: not before, for it has failed.';
