create table imago.batch (
  id bigint generated always as identity primary key,
  run bigint not null,
  plan text not null,
  direction text not null,
  path text not null,
  plan_check integer,
  journaled boolean not null,
  xid xid8 not null default pg_current_xact_id(),
  size integer not null,
  moved integer not null default 0,
  ms numeric,
  wal_bytes bigint,
  rows jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
comment on table imago.batch is 'One row per sub-batch, written in its own transaction: what journal and statistics refer to. Its xid proves that the setting imago.batch was not forged.';
comment on column imago.batch.plan is 'Plan of the run. The setting imago.batch names it, so that triggers of other plans know that the batch is not theirs.';
comment on column imago.batch.run is 'No foreign key: each write of the app that a sync follows would lock the row of the run.';
comment on column imago.batch.path is 'Who moved: a pass of the lanes (main, late), finish, window, entity, external, sync, or fix.';
comment on column imago.batch.plan_check is 'Of a fix: the check (imago.plan_check) whose findings it fixed. No foreign key, for the same reason.';
create index batch_run_idx on imago.batch (run, id);
create index batch_window_idx on imago.batch (run) where path = 'window';
