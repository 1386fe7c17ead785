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
  note text not null
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

insert into imago.signal (name, position, slow, hold, tell, unit, of_capacity, low, slow_looks, hold_looks, least_share, beside_app, fails_closed, words, note) values
  ('operator', 1, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'all runs are held: %1$s', 'The setting hold of imago.setting is not empty; it is the reason.'),
  ('hours', 2, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'the run works only at %1$s', 'The hours of throttle_migration.'),
  ('rate', 3, null, 1, null, 'count', false, false, 1, 1, 0.05, false, false, 'the run moves at most %1$s a second', 'max_per_second of throttle_migration is used up until the next look.'),
  ('query', 4, null, 1, null, 'count', false, false, 1, 1, 0.05, false, true, 'throttle_query asks to wait', 'The throttle_query of throttle_migration answers true.'),
  ('waiters', 5, 250, 1000, null, 'milliseconds', false, false, 1, 1, 0.25, false, false, 'a session has waited %2$s for the run', 'Longest wait for a lock of the call that looks. Past hold the call ends at once: nothing else frees who waits.'),
  ('slot', 6, 50, 75, null, 'bytes', true, false, 1, 1, 0.05, false, true, 'slot %1$s keeps %2$s', 'Write-ahead log that a replication slot keeps, of what it may: max_slot_wal_keep_size, else the setting slot_mb. Past that its consumer is cut off for good.'),
  ('replica', 7, 67108864, 536870912, null, 'bytes', false, false, 1, 2, 0.05, false, true, 'replica %1$s is %2$s behind', 'Write-ahead log that a streaming replica has not replayed.'),
  ('replica_delay', 8, 5, 30, null, 'seconds', false, false, 1, 2, 0.05, false, true, 'replica %1$s is %2$s behind', 'How late a streaming replica replays; not known while nothing is written.'),
  ('archive', 9, 17, 43, null, 'count', false, false, 1, 2, 0.05, false, true, '%2$s files of write-ahead log wait to be archived', 'Queue of the archiver, where archive_mode is on.'),
  ('archiver', 10, null, 1, null, 'count', false, false, 1, 2, 0.05, false, true, 'archiving the write-ahead log fails', 'The last attempt to archive a file has failed.'),
  ('disk', 11, 75, 85, null, 'bytes', true, false, 1, 2, 0.05, false, false, 'database and write-ahead log take %2$s', 'Size of the database and of pg_wal, of the setting disk_mb. Not looked at while that is empty.'),
  ('wal', 12, 100, 200, null, 'bytes', true, false, 1, 2, 0.05, false, false, 'the server writes %2$s of write-ahead log a second', 'Write-ahead log of all sessions since the last look, of the setting wal_mb_per_s. Not looked at while that is empty.'),
  ('checkpoints', 13, 2, null, null, 'count', false, false, 1, 2, 0.5, true, false, '%2$s checkpoints were asked for in five minutes', 'Checkpoints that came because of the amount written: each makes pages be written in full again.'),
  ('vacuum', 14, 1, 2, null, 'count', false, false, 1, 2, 0.5, true, false, 'a vacuum of %1$s is running', 'Vacuum of a table of the plan. One that prevents wraparound holds the run.'),
  ('connections', 15, 8, 3, null, 'count', false, true, 1, 2, 0.05, false, false, '%2$s connections are free', 'Free connections of the server. Below slow validate_migration warns, too.'),
  ('active', 16, 300, 600, null, 'count', true, false, 1, 2, 0.05, false, false, 'sessions active beside the run, and before it: %2$s', 'Sessions of others that are at work, of those before the run began (taken as 9 at least).'),
  ('pace', 17, 300, null, null, 'milliseconds', true, false, 5, 2, 0.25, true, false, 'an entity takes, and usually took: %2$s', 'What an entity takes now, of what it usually took in this run.'),
  ('transaction', 18, null, null, 300, 'seconds', false, false, 1, 2, 1, false, false, 'the transaction of process %1$s has been open for %2$s', 'Oldest transaction of another session: room that updates leave cannot be used again before it ends. Only told.');
