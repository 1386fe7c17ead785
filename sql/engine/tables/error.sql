create table imago.error (
  code text primary key check (code ~ '^IM[0-9]{3}$'),
  message text not null,
  hint text not null,
  cause text not null
);
comment on table imago.error is 'Every error that Imago raises: SQLSTATE, message (a format), hint (a format on the same values) and cause. docs/errors.md is made from it.';

insert into imago.error (code, message, hint, cause) values
  ('IM001', 'there is no plan named %1$s', 'Installed plans: %2$s.', 'The name is misspelt or the plan''s migration has not been pushed.'),
  ('IM002', 'batch_size must be between 1 and 10000, not %1$s', 'Leave it out to let Imago choose.', 'A batch of more than 10,000 entities does not fit a call.'),
  ('IM003', 'batch_offset must not be negative, not %1$s', 'Start with 0 and go on with next_offset.', 'A window cannot begin before the first entity.'),
  ('IM004', '%1$s must not be null', 'Give a value for %1$s.', 'An argument that has no default was null.'),
  ('IM005', 'plan %1$s is not prepared', 'Call select prepare_migration(%2$L) until has_more is false, or use migrate_batch, which prepares by itself.', 'The columns, tables or undo journal that the plan writes are not there yet.'),
  ('IM006', 'plan %1$s cannot start here: %2$s', 'Mend each of these and start again. Nothing has been changed.', 'The preflight found something that the plan needs missing, of the wrong type or not ours to change.'),
  ('IM007', 'run %1$s of plan %2$s was started with %3$s = %4$s, this call says %5$s', 'Call with %3$s %4$s, as the run was, or cancel the run first.', 'What holds for a run is fixed by the call that creates it. Left out, backup is true, on_failure is stop and force is false.'),
  ('IM008', 'cannot %1$s: the run of plan %2$s is %3$s', 'Allowed now: %4$s.', 'The state machine (imago.transition) has no such edge.'),
  ('IM009', 'plan %1$s cannot be rolled back: run %2$s moved entities without a journal', 'Restore from a backup instead. Runs keep a journal unless started with backup false.', 'The run was started with backup false (--no-backup).'),
  ('IM010', 'the entity is still pending after apply', 'Look at what the plan''s apply does for this entity; for avatars, whether avatars.default_avatar gives a row for it.', 'apply ran without an error and did not move the entity.'),
  ('IM011', 'apply made more than one target row for one entity', 'Mend the view or apply: each entity gets one row; for avatars, avatars.default_avatar gives one row a user.', 'The plan''s view yields several rows for one entity.'),
  ('IM012', 'names that Imago needs are taken: %1$s', 'Rename or drop them, then push again. Nothing has been changed.', 'The database has functions, views or schemas of the same name.'),
  ('IM013', 'plan %1$s knows no entity with this key', 'Check the key; keys are compared as the source table''s key type.', 'There is no such row in the source table, or its key has another type.'),
  ('IM014', 'plan %1$s writes what it does not declare: %2$s', 'Declare it in the plan, or stop writing it. What is not declared cannot be taken back.', 'A dry run compared what was written with what was declared, and no trigger of the app explains the difference.'),
  ('IM015', '%1$s is not valid: %2$s', 'Allowed: %3$s.', 'An argument has a value outside its range.'),
  ('IM016', 'the run of plan %1$s is busy', 'Try again in a moment: batches in flight end within their time budget.', 'A transition waited for batches in flight longer than state_lock_timeout_ms.'),
  ('IM017', 'plan %1$s is being rolled back', 'Let the rollback finish (rollback_batch until has_more is false), or cancel it with cancel_migration(%2$L).', 'Forward work was asked for while a rollback is unfinished.'),
  ('IM018', 'the dry run did not fit this caller''s statement timeout', 'Use mode sample, or call dry_run_migration over a database connection without a statement timeout.', 'A full dry run does all of the work in one transaction.'),
  ('IM019', 'the run of plan %1$s is paused', 'Call select resume_migration(%2$L).', 'Someone paused the run.'),
  ('IM020', 'the run stopped: %1$s of %2$s allowed failures', 'Look at select * from migration_log where level = ''error'', mend the cause, then call retry_failed_migrations, or roll back.', 'More entities failed than max_failures allows.'),
  ('IM021', 'the run stopped with SQLSTATE %1$s', 'The server is in trouble or the schema has changed under the run. Mend that, then call retry_failed_migrations, or roll back.', 'SQLSTATE class 42, 53, 58 or XX inside a batch.'),
  ('IM022', 'plan %1$s has no run', 'Start one with migrate_batch.', 'A transition was asked for before anything was started.'),
  ('IM023', 'the user of plan %1$s could not be moved: SQLSTATE %2$s', 'Mend the cause and call again; retry_failed_migrations retries all.', 'apply failed for this one entity; nothing of it was kept.'),
  ('IM024', 'the run of plan %1$s has failed', 'Mend the cause and call retry_failed_migrations(%2$L), or roll back.', 'A failed run does not go on by itself.'),
  ('IM025', 'the entity is locked by another transaction', 'Try again when that transaction has ended.', 'The row, or one that hangs on it, was locked longer than lock_timeout_ms.');
