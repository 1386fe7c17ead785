create table imago.reading (
  plan text not null references imago.governor on delete cascade,
  signal text not null references imago.signal,
  name text not null default '',
  level integer not null default 0,
  value numeric,
  capacity numeric,
  sqlstate text,
  slow_looks integer not null default 0,
  hold_looks integer not null default 0,
  holds boolean not null default false,
  since timestamptz,
  held_ms bigint not null default 0,
  read_at timestamptz,
  took_ms numeric,
  primary key (plan, signal, name)
);
comment on table imago.reading is 'What the last look of a plan''s governor has found wrong, and how long each signal has held its runs.';
comment on column imago.reading.name is 'What was looked at, where there can be several: a slot, a replica, a table, a process.';
comment on column imago.reading.level is 'What it counts as: 0 fine or only told, 1 slow, 2 hold, 3 this call ends at once.';
comment on column imago.reading.capacity is 'What the value is a part of, or is compared with.';
comment on column imago.reading.sqlstate is 'The signal could not be read: with which error.';
comment on column imago.reading.holds is 'It is one of the reasons of the hold that is on; the run is released when all of these are fine.';
comment on column imago.reading.since is 'Since when it has been wrong without a break; null while it is fine.';
comment on column imago.reading.held_ms is 'Milliseconds that it has held runs of this plan, all in all.';
comment on column imago.reading.read_at is 'When it was read, if its signal is dear: later looks take it as it is until it is read again. Else null.';
comment on column imago.reading.took_ms is 'How long reading it took, if its signal is dear.';
