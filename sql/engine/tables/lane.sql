create table imago.lane (
  run bigint not null references imago.run on delete cascade,
  stage integer not null default 1,
  pass text not null check (pass in ('main', 'late')),
  number integer not null,
  partition text,
  by_block boolean not null default false,
  lower_key text,
  upper_key text,
  cursor_key text,
  batch_size integer not null default 100,
  processed bigint not null default 0,
  moved bigint not null default 0,
  failed bigint not null default 0,
  deferrals integer not null default 0,
  done boolean not null default false,
  waits_for text[],
  waits_since timestamptz,
  look_timed_out boolean not null default false,
  moved_before bigint,
  entity_ms numeric,
  entity_wal numeric,
  written bigint not null default 0,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (run, stage, pass, number)
) with (fillfactor = 50);
comment on table imago.lane is 'Contiguous ranges of the key space or of blocks, of the source or of a partition of it, each with its own cursor. Its row lock is the lease.';
comment on column imago.lane.stage is 'Stage of the plan; its lanes are cut when the stages before it are proved complete.';
comment on column imago.lane.partition is 'The partition of the source that it walks, as SQL names it; null: the source whole. Rows that leave it, and those of new ones, are found by the late pass.';
comment on column imago.lane.by_block is 'Walked in the order in which rows lie on disk: its bounds and its cursor are ctids. Whatever moves meanwhile, the late pass finds.';
comment on column imago.lane.lower_key is 'Exclusive; null means from the first key.';
comment on column imago.lane.upper_key is 'Inclusive; null means to the last key.';
comment on column imago.lane.waits_for is 'On the first late lane of a stage: virtual transactions that were writing the plan''s tables when the last lane ended.';
comment on column imago.lane.look_timed_out is 'Of the first late lane: one query for what is still pending does not fit a call, so that an empty walk is the proof.';
comment on column imago.lane.entity_ms is 'Milliseconds that an entity of this lane took lately: how many fit into the time that they may be held.';
comment on column imago.lane.entity_wal is 'Bytes of write-ahead log that an entity of this lane took lately, at most: how many fit into what a slot may still keep.';
comment on column imago.lane.written is 'Rows of the plan''s tables that calls on this lane have written, as the server counts them.';
comment on column imago.lane.moved_before is 'On late lanes that are walked once more: what they had moved when that walk began.';
