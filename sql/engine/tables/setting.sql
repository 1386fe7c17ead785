create table imago.setting (
  name text primary key,
  value text not null,
  note text not null,
  -- A sub-batch that fails is halved within its call; not all callers remember a size for the next one.
  constraint max_sub_batches_is_2_or_more check (name <> 'max_sub_batches' or value::integer >= 2)
);
comment on table imago.setting is 'What an operator may tune. Read at each call.';

insert into imago.setting (name, value, note) values
  ('engine_version', '1', 'version of the engine; clients refuse a newer one than they know'),
  ('lanes', '48', 'lanes cut for a large source; several per expected caller, so that early finishers find work'),
  ('lock_timeout_ms', '400', 'longest wait for a row lock inside a batch; below deadlock_timeout, so waiting ends before the detector runs'),
  ('ddl_lock_timeout_ms', '500', 'longest wait for a table lock in a prepare step'),
  ('state_lock_timeout_ms', '4000', 'longest wait of a state transition for batches in flight'),
  ('sub_batch_ms', '800', 'duration that the size of a sub-batch aims at while nobody else writes the plan''s tables; else hold_ms'),
  ('hold_ms', '100', 'longest work of a call, which is one transaction, while others write the plan''s tables: as long are its rows locked'),
  ('quiet_ms', '10000', 'others are taken to write the plan''s tables for so long after a write of theirs was seen'),
  ('look_ms', '1000', 'how often the calls of a run look at the server''s health, all together'),
  ('backoff_ms', '5000', 'shortest time that the governor holds a run; twice as long each time that it is held again soon, at most 10 minutes'),
  ('slot_mb', '8192', 'write-ahead log that a replication slot is taken to keep at most where max_slot_wal_keep_size sets no limit'),
  ('disk_mb', '', 'what database and write-ahead log may take together; empty: not known, and not looked at'),
  ('wal_mb_per_s', '', 'write-ahead log a second that the server''s disk takes for long; empty: not known, and not looked at'),
  ('hold', '', 'not empty: all runs of all plans wait, and give this as the reason'),
  ('max_sub_batches', '50', 'sub-batches a call, 2 or more, so that one that fails can be halved; more than 64 subtransactions overflow the server''s cache'),
  ('deferrals', '3', 'deferrals of a lane before the blocked entity is looked for'),
  ('sync_wait_ms', '2000', 'longest wait of a sync for batches that hold its entities; then the app''s write goes on without it'),
  ('writer_wait_ms', '10000', 'longest wait of the end of a run for writing transactions that were in flight'),
  ('proof_mb', '4096', 'tables of up to so many megabytes together are proved complete by one query; larger ones are walked a second time'),
  ('block_walk_percent', '50', 'plans whose tables are so many percent of shared_buffers or more together are walked in the order of the disk, where that of the keys has nothing to do with it'),
  ('long_transaction_ms', '300000', 'age from which validate_migration warns of an open transaction'),
  ('read_only_wait_ms', '15000', 'what calls are told to wait while the database is read-only'),
  ('idle_calls', '50', 'calls in a row that may leave everything as it was, though nothing is locked, before the run is stopped'),
  ('tick_ms', '5000', 'longest work of a scheduled tick, which is one transaction; at most 80 % of the interval, too'),
  ('dry_run_ms', '60000', 'longest work of a full dry run, unless max_ms says otherwise'),
  ('dry_run_wait_ms', '250', 'a dry run ends when somebody has waited so long for one of its locks'),
  ('index_mb', '1024', 'tables from so many megabytes on get the index that rollback needs from a person: while it is built their writers wait, a quarter of a second for 500,000 rows'),
  ('direct_mb', '256', 'tables from so many megabytes on are validated outside of a call, over a database connection'),
  ('app_search_path', '', 'search_path under which code of the app runs when Imago writes the app''s tables; empty: as the app''s roles, the database or the owner of Imago have it, else Supabase''s default');
