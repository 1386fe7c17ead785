create table if not exists imago_fleet.worker (
  id uuid primary key,
  name text not null,
  slots integer not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);

comment on table imago_fleet.worker is 'The worker processes that are alive, or were a moment ago: each says every few seconds that it is there.';
comment on column imago_fleet.worker.slots is 'Members that it works at the same time.';
