create table imago.signal (
  name text primary key,
  position integer not null unique,
  slow numeric,
  hold numeric,
  tell numeric,
  unit text not null check (unit in ('bytes', 'seconds', 'milliseconds', 'count')),
  of_capacity boolean not null default false,
  low boolean not null default false,
  slow_looks integer not null default 1,
  hold_looks integer not null default 2,
  least_share numeric not null default 0.05,
  beside_app boolean not null default false,
  fails_closed boolean not null default false,
  words text not null,
  note text not null,
  source text,
  every_ms integer check (every_ms >= 0)
);
comment on table imago.signal is 'What the governor looks at, and from what value on a run is slowed or held. The thresholds may be tuned.';
comment on column imago.signal.position is 'Order in which signals are read; reasons are told in it, too.';
comment on column imago.signal.slow is 'From this value on the run is slowed; null: never.';
comment on column imago.signal.hold is 'From this value on the run is held; null: never.';
comment on column imago.signal.tell is 'From this value on it is told, and nothing else; null: never.';
comment on column imago.signal.unit is 'Of the value and of the capacity: bytes, seconds, milliseconds or count.';
comment on column imago.signal.of_capacity is 'The thresholds are percent of the capacity that is read with the value.';
comment on column imago.signal.low is 'The lower the worse: a threshold is passed below it.';
comment on column imago.signal.slow_looks is 'Looks in a row that a value must be past slow before it counts.';
comment on column imago.signal.hold_looks is 'Looks in a row that a value must be past hold before it counts; until then it slows.';
comment on column imago.signal.least_share is 'Share of the time that the run keeps however long this signal slows it.';
comment on column imago.signal.beside_app is 'Counts only while others write the plan''s tables or are active. It protects them: on a quiet server the run goes on.';
comment on column imago.signal.fails_closed is 'Where it cannot be read the run is slowed at once, and held after 15 seconds. Other signals are unknown then, and said to be.';
comment on column imago.signal.words is 'The reason in words: %1$s is the name of what was looked at, %2$s the value, with the capacity if there is one.';
comment on column imago.signal.source is 'What is read for it: signals of one source are read at once. Null: it follows from elsewhere.';
comment on column imago.signal.every_ms is 'It is dear to read, and read again after so many milliseconds at the earliest; null: at each look. Nor is it read again before twenty times as long as reading it took.';

insert into imago.signal (name, position, slow, hold, tell, unit, of_capacity, low, slow_looks, hold_looks, least_share, beside_app, fails_closed, words, note, source, every_ms) values
  ('operator', 1, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'all runs are held: %1$s', 'The setting hold of imago.setting is not empty; it is the reason.', 'operator', null),
  ('hours', 2, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'the run works only at %1$s', 'The hours of throttle_migration.', 'operator', null),
  ('rate', 3, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'the run moves at most %1$s a second', 'max_per_second of throttle_migration is used up for the moment.', null, null),
  ('query', 4, null, 1, null, 'count', false, false, 1, 1, 0.05, false, true, 'throttle_query asks to wait', 'The throttle_query of throttle_migration answers true.', 'query', 0),
  ('query_time', 5, 250, 1000, null, 'milliseconds', false, false, 1, 1, 0.05, false, false, 'throttle_query takes %2$s', 'What the throttle_query of throttle_migration takes to answer. Nothing can end it, and the run waits for it.', 'query', 0),
  ('waiters', 6, 250, 1000, null, 'milliseconds', false, false, 1, 1, 0.25, false, false, 'a session has waited %2$s for the run', 'Longest wait for a lock of the call that looks. Past hold the call ends at once: nothing else frees who waits.', 'activity', null),
  ('slot', 7, 50, 75, null, 'bytes', true, false, 1, 1, 0.05, false, true, 'slot %1$s keeps %2$s', 'Write-ahead log that a replication slot keeps, of what it may: max_slot_wal_keep_size, else the setting slot_mb. Past that its consumer is cut off for good.', 'slots', null),
  ('replica', 8, 67108864, 536870912, null, 'bytes', false, false, 1, 2, 0.05, false, true, 'replica %1$s is %2$s behind', 'Write-ahead log that a streaming replica has not replayed.', 'replicas', null),
  ('replica_delay', 9, 5, 30, null, 'seconds', false, false, 1, 2, 0.05, false, true, 'replica %1$s is %2$s behind', 'How late a streaming replica replays; not known while nothing is written.', 'replicas', null),
  ('archive', 10, 17, 43, null, 'count', false, false, 1, 1, 0.05, false, true, '%2$s files of write-ahead log wait to be archived', 'Queue of the archiver, where archive_mode is on.', 'archive', 10000),
  ('archiver', 11, null, 1, null, 'count', false, false, 1, 2, 0.05, false, true, 'archiving the write-ahead log fails', 'The last attempt to archive a file has failed.', 'archiver', null),
  ('disk', 12, 75, 85, null, 'bytes', true, false, 1, 1, 0.05, false, false, 'database and write-ahead log take %2$s', 'Size of the database and of pg_wal, of the setting disk_mb. Not looked at while that is empty.', 'disk', 10000),
  ('wal', 13, 100, 200, null, 'bytes', true, false, 1, 2, 0.05, false, false, 'the server writes %2$s of write-ahead log a second', 'Write-ahead log of all sessions since the last look, of the setting wal_mb_per_s. Not looked at while that is empty.', 'wal', null),
  ('checkpoints', 14, 2, null, null, 'count', false, false, 1, 2, 0.5, true, false, '%2$s checkpoints were asked for in five minutes', 'Checkpoints that came because of the amount written: each makes pages be written in full again.', 'checkpoints', null),
  ('vacuum', 15, 1, 2, null, 'count', false, false, 1, 2, 0.5, true, false, 'a vacuum of %1$s is running', 'Vacuum of a table of the plan. One that prevents wraparound holds the run.', 'vacuum', null),
  ('connections', 16, 8, 3, null, 'count', false, true, 1, 2, 0.05, false, false, '%2$s connections are free', 'Free connections of the server. Below slow validate_migration warns, too.', 'activity', null),
  ('active', 17, 300, 600, null, 'count', true, false, 1, 2, 0.05, false, false, 'sessions active beside the run, and before it: %2$s', 'Sessions of others that are at work, of those before the run began (taken as 9 at least).', 'activity', null),
  ('pace', 18, 300, null, null, 'milliseconds', true, false, 5, 2, 0.25, true, false, 'an entity takes, and usually took: %2$s', 'What an entity takes now, of what it usually took in this run.', 'pace', null),
  ('transaction', 19, null, null, 300, 'seconds', false, false, 1, 2, 1, false, false, 'the transaction of process %1$s has been open for %2$s', 'Oldest transaction of another session: room that updates leave cannot be used again before it ends. Only told.', 'activity', null);
