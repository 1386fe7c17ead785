-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- imago install_check
-- Refuses before anything changes when a name that the engine needs is already somebody else's. Each plan's migration looks for its own.
do $$
declare
  taken text;
begin
  select string_agg(name, ', ' order by position, name) into taken
  from (
    select 1 as position, format('%s (returns %s)', p.oid::pg_catalog.regprocedure, pg_catalog.pg_get_function_result(p.oid)) as name
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::pg_catalog.regnamespace
      and p.proname in (
        'migrate_users_batch', 'migrate_batch', 'migrate_user_to_avatar_centric', 'dry_run_migration',
        'get_migration_statistics', 'rollback_user_migration', 'rollback_batch', 'rollback_all_migrations',
        'get_detailed_migration_progress', 'get_migration_performance_stats', 'get_migration_report', 'prepare_migration',
        'pause_migration', 'resume_migration', 'cancel_migration', 'retry_failed_migrations',
        'schedule_migration', 'unschedule_migration', 'throttle_migration', 'validate_migration', 'get_run_history', 'finalize_migration', 'cleanup_migration',
        'migrate_entity', 'rollback_entity', 'forget_entity', 'give_up_column', 'get_engine_version', 'inspect_installation', 'log_request', 'expect_done'
      )
    union all
    -- Every table, view and composite type is a type as well.
    select 2, 'public.migration_log' where pg_catalog.to_regtype('public.migration_log') is not null
    union all
    select 3, 'schema ' || n.nspname from pg_catalog.pg_namespace n where n.nspname in ('imago', 'imago_undo')
  ) names;
  if taken is not null then
    raise exception using
      errcode = 'IM012',
      message = format('names that Imago needs are taken: %s', taken),
      hint = 'Rename or drop them, then push again; a plan that needs them can be left out (npx --no imago install --plans). This migration has changed nothing.';
  end if;
end
$$;

-- imago schema
create schema imago;
comment on schema imago is 'Imago: online, reversible data migrations. Call the functions in schema public; nothing here is meant to be written by hand.';
revoke all on schema imago from public;

create schema imago_undo;
comment on schema imago_undo is 'Imago: undo journals, one typed table per plan and relation. Dropping one gives up the way back.';
revoke all on schema imago_undo from public;

-- imago.setting
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

-- imago.error
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
  ('IM007', 'run %1$s of plan %2$s was started with %3$s = %4$s, this call says %5$s', 'Call with %3$s %4$s, as the run was, or cancel the run first.', 'What holds for a run is fixed by the call that creates it. What is left out is as the run has it.'),
  ('IM008', 'cannot %1$s: the run of plan %2$s is %3$s', 'Allowed now: %4$s.', 'The state machine (imago.transition) has no such edge.'),
  ('IM009', 'plan %1$s cannot be rolled back: run %2$s moved entities without a journal', 'Restore from a backup instead. Runs keep a journal unless started with backup false.', 'The run was started with backup false (--no-backup).'),
  ('IM010', 'the %1$s is still pending after apply', 'Look at what the plan''s apply does for this key; in plan avatars, whether avatars.default_avatar gives a row for it.', 'apply ran without an error and did not move the entity.'),
  ('IM011', 'apply made more than one target row for one %1$s', 'Mend the view or apply: each %1$s gets one row; in plan avatars, from the view avatars.default_avatar.', 'The plan''s view yields several rows for one entity.'),
  ('IM012', 'names that Imago needs are taken: %1$s', 'Rename or drop them, then push again; a plan that needs them can be left out (npx --no imago install --plans). This migration has changed nothing.', 'The database has functions, views or schemas of the same name.'),
  ('IM013', 'plan %1$s knows no %2$s with this key', 'Check the key; keys are compared as the source table''s key type.', 'There is no such row in the source table, or its key has another type.'),
  ('IM014', 'plan %1$s writes what it does not declare: %2$s', 'Declare it in the plan, or stop writing it. What is not declared cannot be taken back.', 'A dry run compared what was written with what was declared, and no trigger of the app explains the difference.'),
  ('IM015', '%1$s is not valid: %2$s', 'Allowed: %3$s.', 'An argument has a value outside its range.'),
  ('IM016', 'the run of plan %1$s is busy', 'Try again in a moment: batches in flight end within their time budget.', 'A transition waited for batches in flight longer than state_lock_timeout_ms.'),
  ('IM017', 'plan %1$s is being rolled back', 'Let the rollback finish (rollback_batch until has_more is false), or cancel it with cancel_migration(%2$L).', 'Forward work was asked for while a rollback is unfinished.'),
  ('IM018', 'the dry run did not fit this caller''s statement timeout', 'Use mode sample, or call dry_run_migration over a database connection without a statement timeout.', 'A dry run stops beginning work in time. Here preparing, or a single sub-batch, took longer than the timeout leaves.'),
  ('IM019', 'the run of plan %1$s is paused', 'Call select resume_migration(%2$L).', 'Someone paused the run.'),
  ('IM020', 'the run stopped: %1$s of %2$s allowed failures', 'Look at select * from migration_log where level = ''error'', mend the cause, then call retry_failed_migrations, or roll back.%3$s', 'More entities failed than max_failures allows.'),
  ('IM021', 'the run stopped with SQLSTATE %1$s', 'The server is in trouble or the schema has changed under the run. Mend that, then call retry_failed_migrations, or roll back.%2$s', 'SQLSTATE class 42, 53, 55, 58 or XX in a statement of Imago or of the plan. What code of the app raises is the failure of its entity.'),
  ('IM022', 'plan %1$s has no run', 'Start one with migrate_batch.', 'A transition was asked for before anything was started.'),
  ('IM023', 'the %3$s of plan %1$s could not be moved: SQLSTATE %2$s', 'Mend the cause and call again. Others that a run has set aside for it are tried again by retry_failed_migrations.', 'apply failed for this one entity; nothing of it was kept.'),
  ('IM024', 'the run of plan %1$s has failed', 'Mend the cause and call retry_failed_migrations(%2$L), or roll back.', 'A failed run does not go on by itself.'),
  ('IM025', 'the %1$s is locked by another transaction', 'Try again when that transaction has ended.', 'The row, or one that hangs on it, was locked longer than lock_timeout_ms.'),
  ('IM026', 'the fix of check %1$s left it unsatisfied', 'Mend these by hand, and report the fix: it promises to mend all that its check lists for an entity.', 'After the fix the check was evaluated again on the same entities and still listed some; their part of the batch was rolled back.'),
  ('IM027', 'findings of plan %1$s cannot be fixed now: the newest run is %2$s and %3$s', 'Let the migration end first (select resume_migration(%1$L) where it is paused, then migrate_batch until has_more is false), or take it back. Without fix_issues the checks can be read at any time.', 'Fixes are written under a run of their own, and a plan has at most one unfinished run.'),
  ('IM028', 'check %1$s of plan %2$s does not fit a call, not even for one row of %3$s', 'Look for an index that the check lacks, or call over a connection without a statement timeout.', 'The smallest piece of the check ran into the caller''s statement timeout.'),
  ('IM029', 'check %1$s of plan %2$s could not be evaluated: SQLSTATE %3$s', 'Look what has changed in the tables that the check reads, then validate again.', 'The query of the check failed, for example because a column has been dropped.'),
  ('IM030', 'the fix of check %1$s was stopped: SQLSTATE %2$s', 'Look at select * from migration_log where level = ''error''. Findings that were fixed before stay fixed.', 'The server is in trouble, the fix does not fit the schema, or too many entities could not be fixed.'),
  ('IM031', 'pg_cron is not enabled in this database', 'Enable it in the dashboard under Integrations, Cron, or run: create extension pg_cron. Without it, call migrate_batch from anywhere until has_more is false.', 'schedule_migration hands the batches to pg_cron, and there is no schema cron with its functions.'),
  ('IM032', 'role %1$s may not use pg_cron', 'As postgres, to which Supabase gives the schema cron, or else as its owner: grant usage on schema cron to %1$s; grant select on cron.job to %1$s. Where it is postgres that may not: disable pg_cron in the dashboard under Integrations, and enable it again.', 'pg_cron was enabled by a role that has not granted it to the owner of the functions.'),
  ('IM033', 'pg_cron cannot run every %1$s', 'Allowed: 1 to 59 seconds; 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes; 1, 2, 3, 4, 6, 8, 12 or 24 hours.', 'pg_cron knows seconds below a minute; minutes and hours come at equal distances only where they divide an hour or a day.'),
  ('IM034', 'run %1$s is not a %2$s run of plan %3$s', 'Pass the number that the first answer gave as run, to the same function and plan; or leave run out.', 'The argument run names a run that does not exist, or one of another plan or direction.'),
  ('IM035', 'sync %1$s of plan %2$s cannot be installed: there is no %3$s', 'Declare it for what the app has (imago.plan_sync); a plan that finds the app''s columns writes its rows in a prepare step.', 'The relation of a sync, a column that it watches or its primary key is missing.'),
  ('IM036', 'sync %1$s of plan %2$s writes %3$s, which the plan does not declare', 'Declare it (imago.plan_write), or stop writing it. What is not declared cannot be taken back.', 'The statement of a forward sync inserts or updates rows of a table that the journal does not know.'),
  ('IM038', 'plan %1$s cannot be finalized: %2$s', 'Nothing was done. %3$s', 'Finalize ends a migration for good, so it begins, and closes the way back, only when everything is moved and no check of severity error fails.'),
  ('IM039', 'plan %1$s is finalized and cannot be %2$s any more', 'Finalize closed the way back at %3$s (UTC). What it dropped is in your backups only.', 'finalize_migration has done a step that cannot be taken back.'),
  ('IM040', 'plan %1$s cannot be cleaned up: %2$s', 'Nothing has been dropped. %3$s', 'Clean-up drops the journal, which is the way back, so it waits until the way back is closed or has been gone, and for the verification period.'),
  ('IM041', 'step %1$s of plan %2$s failed: SQLSTATE %3$s', 'The step was taken back whole; those before it stay done. Mend the cause and call again.', 'A step of the plan ran into an error; where code of the app raised it, the message says which.'),
  ('IM042', 'step %1$s of plan %2$s runs outside a transaction, over a database connection', 'npm run migrate runs it when DATABASE_URL is set, and pg_cron does after select %4$s. Or run this statement, then call again: %3$s', 'The step is marked direct: no function can do it, or it does not fit a call.'),
  ('IM043', 'finalizing plan %1$s would lose data: %2$s', 'Bring it to the new side, or accept the loss with allow_data_loss => true (--allow-data-loss).', 'The old side holds values that the new side does not.'),
  ('IM044', 'plan %2$s cannot journal rows of %1$s that entities share', 'Give the table a primary key of one column, or name the column that tells the entity.', 'Rows that no one entity owns are journaled under their own key, which has to be one column.'),
  ('IM045', 'plan %1$s has no stage %2$s', 'Add it to imago.plan_stage, or correct the stage in imago.plan_write, imago.plan_sync or imago.plan_check.', 'What the plan declares names a stage that it does not walk.'),
  ('IM048', 'columns that finalize of plan %1$s drops are still used by %2$s', 'Nothing was done. Drop these, or have them read the new side; then call again.', 'Views, policies or other objects of the app stand on columns that finalize drops, and nothing is dropped along with them.'),
  ('IM051', 'the key names entities of several stages of plan %1$s: %2$s', 'Say which: stage => %3$s.', 'The stages of a plan walk different tables, and more than one of them has this key.'),
  ('IM052', 'no run of plan %1$s has come to stage %2$s', 'Call migrate_batch until it has, or move an entity of the first stage. get_detailed_migration_progress shows the stages under way in lanes.', 'An entity of a later stage may need what the stages before it make, so it is not moved before they are complete.'),
  ('IM053', 'Imago cannot be removed: plan %1$s can still be rolled back', 'Roll it back (rollback_batch until has_more is false) or end it (finalize_migration), then push again. To give the way back up: npx --no imago install --uninstall --discard-journal.', 'Removing Imago drops the journal, so it waits until everything is taken back or finalize has closed the way back.'),
  ('IM054', 'Imago cannot be removed: %1$s', 'Let it end, or end it with cancel_migration, then push again. Nothing has been removed.', 'A run is unfinished.'),
  ('IM055', 'Imago cannot be removed: the app uses it (%1$s)', 'Drop these, or have them do without, then push again. Nothing has been removed.', 'Views, functions, policies, defaults or other objects of the app stand on what would be dropped, and nothing of the app is dropped along with it.'),
  ('IM056', 'the statement of step %1$s of plan %2$s keeps failing in pg_cron', 'Look at select return_message from cron.job_run_details where jobid = %3$s, mend the cause, then schedule again. Where the statement timeout ended it: alter role postgres set statement_timeout = 0, and when it is done alter role postgres reset statement_timeout; or run it over a database connection.', 'The job that pg_cron was given for a direct step has failed several times. What it says is not repeated here: it may quote rows.'),
  ('IM057', 'plan %1$s cannot be rolled back without an index on %2$s', 'Nothing was taken back by this call. Run this outside a transaction, then call again: %3$s', 'Each row that is removed is looked up in that column, by foreign keys, too. Without an index each look-up reads the whole table. The run could not build it: the table is too large (setting index_mb), a transaction that does not end writes it, or building failed. What the end of a forward run could not build is in migration_log, with the reason.'),
  ('IM058', 'step %1$s of plan %2$s does not fit the statement timeout', 'The step was taken back whole; those before it stay done. Call over a database connection without a statement timeout; npm run migrate does so when DATABASE_URL is set.', 'A finalize or clean-up step of the plan ran into the caller''s statement timeout.'),
  ('IM060', 'plan %1$s wrote rows of %2$s that its journal has not seen: %3$s', 'Nothing of this batch was kept. Put that right (select * from imago.capture_problems(%1$L) lists what is wrong), then call retry_failed_migrations(%1$L).', 'The server counts more rows written than the capture triggers have seen. What is not in the journal could not be taken back.'),
  ('IM061', 'rows of this entity are not as they were put back', 'Look at the table and key in the failure. A trigger or rule of the app kept the row, or changed it again: have it let Imago through, then call retry_failed_migrations.', 'A rollback proves that what it removed is gone and what it restored is as it was.'),
  ('IM062', 'this session has session_replication_role = replica, in which triggers do not fire', 'As the role that set it so, run set session_replication_role = origin; or call from a new session. Nothing was done.', 'What is written while triggers are off is in no journal, and could not be taken back.'),
  ('IM063', 'the transaction of this call is %1$s', 'Call in read committed (set default_transaction_isolation = ''read committed''), or outside of your own transaction. Nothing was done.', 'A transaction in repeatable read or serializable sees the rows of its beginning only: what others have moved, or added, since would be overlooked.'),
  ('IM064', '%1$s', 'Nothing was done and nothing is lost. Free disk space or enlarge the disk, then call again.', 'The database, or the transaction, takes no writes: Supabase makes a project read-only when its disk is nearly full.'),
  ('IM065', 'the run of plan %1$s does not get on: %2$s calls have resolved nothing, and nothing is locked. Seen: %3$s', 'Look at what the views and apply of the plan do for these; then call retry_failed_migrations(%1$L), or roll back.', 'So many calls in a row (setting idle_calls) have left everything as it was, though nobody held what they needed.'),
  ('IM066', 'plan %1$s is not done: %2$s', '%3$s', 'expect_done was asked, usually by a migration of the app, before the plan was done. That migration has changed nothing.'),
  ('IM067', 'the view %2$s of plan %1$s lists entities as %3$s, and the key of %4$s is %5$s', 'Cast the key in the view: entity::%5$s. Then call again.', 'Keys of these types are never equal, so that no entity would be found pending.'),
  ('IM068', 'a row of this entity got another key while it was written', 'A trigger of the app sets the primary key of the table in the failure. Have it leave the key alone in batches, for example when (coalesce(current_setting(''imago.batch'', true), '''') = ''''), then call retry_failed_migrations.', 'The journal knows rows by their primary key, so what was written to such a row could not be taken back. A key that the app changes outside of batches is followed.'),
  ('IM069', 'the journal of plan %1$s is too large to follow within a call: %2$s', 'Nothing was touched. Over a database connection run: set statement_timeout = 0; select imago.follow_schema(%1$L); then call again.', 'A type, or a label of an enum, has changed, and the journaled values have to follow. That is one statement for each undo table, which for those of direct_mb (a setting) and more may not fit the statement timeout.'),
  ('IM070', 'plan %1$s uses names of before: %2$s', 'Nothing of the batch was kept. Write the new names into the function of the plan that failed (SQLSTATE %3$s.%4$s), then call retry_failed_migrations(%1$L).', 'A table or column was renamed after the plan was prepared. The journal and the way back follow by themselves; the functions that the plan''s author wrote do not.'),
  ('IM071', 'the %1$s of plan %2$s cannot be read: SQLSTATE %3$s', 'Mend what it reads or calls, then call again. Rows over which a view pending stumbles are set aside by migrate_batch, each with its key and the reason.', 'A view or function of the plan has run into an error outside of a batch: while entities are counted, looked for or described.'),
  ('IM072', 'moving this entity deletes rows that cannot be brought back, or changes their keys', 'Look at the table in the failure: which trigger or rule of the app does that? Have it let Imago through, then call retry_failed_migrations.', 'A batch, or what it set off in the app, deleted rows of a table that the plan declares, or changed a primary key there. No journal could bring them back.'),
  ('IM073', 'step %1$s of preparing plan %2$s failed: SQLSTATE %3$s', 'The step was taken back whole; those before it stay done. Mend the cause and call again; where a run has stopped at it, call select retry_failed_migrations(%2$L) first.', 'A step of prepare ran into an error: of its own, of the app''s tables, or of an event trigger.'),
  ('IM074', 'plan %1$s cannot forget this %2$s: the row is still there, and can go back', 'Delete the row in the app first; or take it back with rollback_entity, which forgets as well. To give the way back up while it is there: forget_entity(%1$L, …, still_there => true).', 'Without its journal an entity stays migrated for good. A mistyped key must not do that to somebody.'),
  ('IM075', 'this %2$s of plan %1$s was forgotten and cannot go back', 'Nothing to be done: its journal was deleted by forget_entity. Change the row in the app instead.', 'forget_entity was called with still_there. What was written since is not taken back either: an entity goes back whole or not at all.'),
  ('IM076', 'the tables of plan %1$s have changed since it was prepared: %2$s', 'Nothing was touched. Put back what is missing; or give it up, and take back all else: select give_up_column(%3$s), which says what is lost.', 'A declared table or column was dropped, replaced, or has a type to which journaled values do not cast. What was renamed or widened is followed.'),
  ('IM077', 'plan %1$s has nothing to give up there: %2$s', 'Give the table, and the column if it is one, as IM076 names them.', 'give_up_column takes only what is lost already. The table that the plan walks cannot be given up: restore it.'),
  ('IM078', 'row level security hides rows of %1$s from %2$s', 'Nothing was done. As the owner of each of these tables: alter table … no force row level security. Then call again.', 'What is not seen would count as moved, or as taken back. The owner of a table sees all of it unless its row level security is forced.'),
  ('IM079', 'the dry run of plan %1$s cannot prepare it: %2$s', 'Nothing was kept. Prepare it first, which holds each table for a moment only and moves nobody: call select prepare_migration(%1$L) until has_more is false. From then on a dry run locks no more than the rows that it moves.', 'A dry run of a plan that is not prepared prepares it inside of its own transaction, which holds the tables to its end. It gives up where others hold one of its tables, as soon as they have waited for dry_run_wait_ms, when that takes too long, and where a step cannot run inside of a transaction.'),
  ('IM080', 'another dry run is under way', 'Wait until it has ended, then call again.', 'One dry run at a time in a database: each changes settings for itself, which the others would wait for.'),
  ('IM087', 'throttle_query may only be set by members of the role %1$s', 'Set it in the SQL editor or over a database connection as %1$s: select throttle_migration(throttle_query => ''…'').', 'The query runs with the rights of the owner of Imago. Keys of the Data API may do less.'),
  ('IM088', 'what plan %1$s does is held: %2$s', 'Nothing was done. Call again when that has passed. To do it all the same, have the governor leave the signal out: select throttle_migration(%1$L, ignore => array[''…'']).', 'The governor watches the server''s health (imago.signal). A dry run does as much as a run, and makes a trouble worse.');

-- imago.plan
create table imago.plan (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  title text not null,
  source_schema text not null,
  source_table text not null,
  source text not null generated always as (quote_ident(source_schema) || '.' || quote_ident(source_table)) stored,
  key_column text not null,
  entity_singular text check (entity_singular <> ''),
  entity_plural text check (entity_plural <> ''),
  key_type text check (key_type in ('uuid', 'integer', 'bigint', 'text')),
  stage integer not null default 1 check (stage = 1),
  prepared_at timestamptz,
  finalizing_at timestamptz,
  checking_since timestamptz,
  checking_at timestamptz,
  checking_stage integer,
  checking_key text,
  checked_at timestamptz,
  closed_at timestamptz,
  finalized_at timestamptz,
  cleaned_at timestamptz,
  created_at timestamptz not null default now(),
  check ((entity_singular is null) = (entity_plural is null))
);
comment on table imago.plan is 'One row per data migration; imago.create_plan() writes it. The plan''s schema of the same name holds preflight(), apply(keys), the view pending, and the view concerned where the plan does not concern all rows.';
comment on column imago.plan.name is 'Name of the plan, and of its schema.';
comment on column imago.plan.title is 'What it does, in one line, for people.';
comment on column imago.plan.source_schema is 'Schema of the table that the plan walks.';
comment on column imago.plan.source_table is 'The table that the plan walks: its rows are the entities.';
comment on column imago.plan.source is 'Computed: the quoted name of the table that the plan walks.';
comment on column imago.plan.key_column is 'Unique column of the table that names an entity; the walk goes along it.';
comment on column imago.plan.key_type is 'Kept by the engine: type of the key, found by the first prepare step.';
comment on column imago.plan.entity_singular is 'What one entity is called, like user. Null: the table''s name, its last s left off where that leaves the singular.';
comment on column imago.plan.entity_plural is 'What several entities are called, like users. Null: the table''s name.';
comment on column imago.plan.stage is 'Kept by the engine: always 1. The row itself is the plan''s first stage; imago.plan_stage has further ones.';
comment on column imago.plan.prepared_at is 'Kept by the engine: when the last prepare step was done. Null means that a run has to prepare first.';
comment on column imago.plan.finalizing_at is 'Kept by the engine: when finalize began. Everything was moved and no check failed.';
comment on column imago.plan.checking_since is 'Kept by the engine, while finalize goes through the checks: when it began to.';
comment on column imago.plan.checking_at is 'Kept by the engine, while finalize goes through the checks: its last call. Who comes back much later begins anew.';
comment on column imago.plan.checking_stage is 'Kept by the engine: up to which stage finalize has looked for what is pending. The stage past the last one: through.';
comment on column imago.plan.checking_key is 'Kept by the engine: up to which entity of checking_stage finalize has looked for what is pending.';
comment on column imago.plan.checked_at is 'Kept by the engine: when no check failed, at last.';
comment on column imago.plan.closed_at is 'Kept by the engine: when finalize did the first thing that cannot be taken back. No run starts from then on.';
comment on column imago.plan.finalized_at is 'Kept by the engine: when the last finalize step was done.';
comment on column imago.plan.cleaned_at is 'Kept by the engine: when the journal was dropped. After finalize, or after everything was taken back.';
comment on column imago.plan.created_at is 'Kept by the engine: when the plan was registered.';

-- imago.plan_stage
create table imago.plan_stage (
  plan text not null references imago.plan on delete cascade,
  number integer not null check (number > 1),
  source_schema text not null,
  source_table text not null,
  source text not null generated always as (quote_ident(source_schema) || '.' || quote_ident(source_table)) stored,
  key_column text not null,
  entity_singular text check (entity_singular <> ''),
  entity_plural text check (entity_plural <> ''),
  key_type text check (key_type in ('uuid', 'integer', 'bigint', 'text')),
  primary key (plan, number),
  check ((entity_singular is null) = (entity_plural is null))
);
comment on table imago.plan_stage is 'Further stages of a plan: tables that it walks after its source, in order. The plan''s schema holds apply_<number>(keys), the view pending_<number>, and concerned_<number> where the stage does not concern all rows.';
comment on column imago.plan_stage.plan is 'The plan whose stage it is.';
comment on column imago.plan_stage.number is 'A run goes from stage 1, the plan''s own row, upwards; a rollback from the last stage downwards.';
comment on column imago.plan_stage.source_schema is 'Schema of the table that the stage walks.';
comment on column imago.plan_stage.source_table is 'The table that the stage walks: its rows are the stage''s entities.';
comment on column imago.plan_stage.source is 'Computed: the quoted name of the table that the stage walks.';
comment on column imago.plan_stage.key_column is 'Unique column of the table that names an entity.';
comment on column imago.plan_stage.key_type is 'Kept by the engine: type of the key, found by the first prepare step.';
comment on column imago.plan_stage.entity_singular is 'What one entity of this stage is called. Null: the table''s name, its last s left off where that leaves the singular.';
comment on column imago.plan_stage.entity_plural is 'What several entities of this stage are called. Null: the table''s name.';

-- imago.plan_step
create table imago.plan_step (
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  name text not null,
  routine text not null,
  phase text not null default 'prepare' check (phase in ('prepare', 'finalize', 'cleanup')),
  direct boolean not null default false,
  statement text,
  reversible boolean not null default false,
  only_after text check (only_after in ('finalize', 'rollback')),
  source text check (source is null or not direct),
  cursor_key text,
  walked bigint not null default 0,
  size integer not null default 500,
  done_at timestamptz,
  primary key (plan, position),
  unique (plan, name),
  check (direct = (statement is not null)),
  check (not direct or phase <> 'cleanup')
);
comment on table imago.plan_step is 'Ordered, idempotent steps of a phase: one function of the plan''s schema each, run in a transaction of its own.';
comment on column imago.plan_step.plan is 'The plan whose step it is.';
comment on column imago.plan_step.position is 'Order of the steps, over all phases.';
comment on column imago.plan_step.name is 'What people read of the step: in answers, the log and errors.';
comment on column imago.plan_step.routine is 'Name of a function in the plan''s schema, without arguments unless the step walks. It may return jsonb: {"has_more": true} to be called again, {"outcome": "…"} to be told. That of a direct step returns boolean: true once there is nothing (left) to do.';
comment on column imago.plan_step.phase is 'When the step is done: before the run, to end the migration for good, or when the journal is dropped.';
comment on column imago.plan_step.direct is 'The statement runs outside of calls, over a database connection. For what does not run inside a transaction, or takes longer than a call; as long as the routine says false.';
comment on column imago.plan_step.statement is 'For a direct step: one SQL statement, such as create index concurrently or validate constraint.';
comment on column imago.plan_step.reversible is 'For finalize: the way back stays open after it. Direct steps always leave it open; all others close it, and the first of them removes our triggers, too.';
comment on column imago.plan_step.only_after is 'For cleanup: after which end of the plan the step is for; null means both.';
comment on column imago.plan_step.source is 'A step that walks: the relation whose rows are handed to the routine by key, piece after piece. The routine takes an array of these keys.';
comment on column imago.plan_step.cursor_key is 'Kept by the engine, of a step that walks: up to which key it has come.';
comment on column imago.plan_step.walked is 'Kept by the engine, of a step that walks: rows up to the cursor.';
comment on column imago.plan_step.size is 'Of a step that walks: rows of the next piece. The engine fits it to the time that pieces take.';
comment on column imago.plan_step.done_at is 'Kept by the engine: when the step was done; null means not yet, or not any more.';

-- imago.plan_write
create table imago.plan_write (
  id integer generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  stage integer not null default 1,
  relation text not null,
  entity_column text,
  inserts boolean not null default false,
  columns text[] not null default '{}',
  points_to jsonb not null default '{}',
  left_unindexed text[] not null default '{}',
  key_columns text[],
  undo_table text,
  inserted_columns text[],
  captured_at timestamptz,
  kept_at timestamptz,
  unique (plan, relation),
  check (inserts or columns <> '{}'),
  check (entity_column is not null or inserts and columns = '{}' and points_to = '{}')
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, and the columns that it sets or that it inserts rows.';
comment on column imago.plan_write.id is 'Kept by the engine: number of the declared write.';
comment on column imago.plan_write.plan is 'The plan that writes.';
comment on column imago.plan_write.position is 'Order of writing. Rollback restores in the opposite order of reference: updates first, inserted rows last.';
comment on column imago.plan_write.stage is 'The stage whose entities the rows belong to. The engine gives shared rows one of their own, 0 and below.';
comment on column imago.plan_write.relation is 'The table that is written, as SQL writes it: public."Gigs".';
comment on column imago.plan_write.entity_column is 'Column of the relation that names the entity; null for inserted rows that several entities share. Each of these is journaled under its own key, in a stage of its own (0, -1, …, set by prepare) that goes back last, when nothing refers to it any more.';
comment on column imago.plan_write.inserts is 'The plan inserts rows into the relation; a rollback removes them.';
comment on column imago.plan_write.columns is 'Columns that the plan sets in rows of the app; a rollback gives them back what they held.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.left_unindexed is 'Kept by the engine: columns of points_to whose index the last run has left to a person. The table is too large, or the index could not be built. The log has the statement.';
comment on column imago.plan_write.key_columns is 'Kept by the engine: the relation''s primary key, found by prepare.';
comment on column imago.plan_write.undo_table is 'Kept by the engine: name of the undo table in schema imago_undo; null until prepare has made it.';
comment on column imago.plan_write.inserted_columns is 'Kept by the engine: columns whose fingerprint tells whether an inserted row was edited since. Empty where one was dropped meanwhile.';
comment on column imago.plan_write.kept_at is 'Kept by the engine: when the note and keep triggers were installed; null where triggers of the app do not ask for them.';
comment on column imago.plan_write.captured_at is 'Kept by the engine: when the capture triggers were installed; null while they are not.';

-- imago.plan_sync
create table imago.plan_sync (
  plan text not null references imago.plan on delete cascade,
  stage integer not null default 1,
  position integer not null check (position between 1 and 99),
  name text not null,
  relation text not null,
  events text[] not null default '{insert,update}'
    check (events <> '{}' and events <@ array['insert', 'update', 'delete']),
  columns text[],
  entity_column text not null,
  direction text not null default 'forward' check (direction in ('forward', 'back')),
  statement text not null,
  strict boolean not null default false,
  creates boolean not null default false,
  installed_at timestamptz,
  primary key (plan, position),
  unique (plan, name)
);
comment on table imago.plan_sync is 'What keeps both sides equal while a plan is on, in the transaction of the app''s write. For each row a trigger that runs one SQL statement.';
comment on column imago.plan_sync.plan is 'The plan whose sync it is.';
comment on column imago.plan_sync.stage is 'The stage whose entities entity_column names.';
comment on column imago.plan_sync.position is 'Number of the sync; part of its triggers'' names.';
comment on column imago.plan_sync.name is 'What people read of the sync: in the log, in errors and in the doctor''s report.';
comment on column imago.plan_sync.relation is 'The table that the app writes, as SQL writes it.';
comment on column imago.plan_sync.events is 'Kinds of the app''s statements that the sync follows.';
comment on column imago.plan_sync.columns is 'An update counts only for rows in which one of these has changed; null means any.';
comment on column imago.plan_sync.entity_column is 'Column of the relation that names the entity.';
comment on column imago.plan_sync.direction is 'forward: from the old side to the new, journaled. back: from the new side to the old. A rollback takes what forward wrote back; what back writes is the app''s own and stays, and the journal of the new side moves along.';
comment on column imago.plan_sync.statement is 'SQL that reads new_rows and old_rows, the rows that the app has changed, and writes the other side. old_rows is empty for an insert, new_rows for a delete.';
comment on column imago.plan_sync.strict is 'An error fails the app''s write. Otherwise it is logged and the entity is left pending.';
comment on column imago.plan_sync.creates is 'Moves entities that were not moved before; off while the plan is being rolled back, and for held entities.';
comment on column imago.plan_sync.installed_at is 'Kept by the engine: when the triggers were installed; null while they are not.';

-- imago.plan_check
create table imago.plan_check (
  id integer generated always as identity primary key,
  plan text references imago.plan on delete cascade,
  stage integer not null default 1,
  position integer not null,
  name text not null check (name ~ '^[a-z][a-z0-9_]{0,60}$'),
  severity text not null check (severity in ('error', 'warning', 'manual')),
  phase text not null check (phase in ('before', 'during', 'after')),
  meaning text not null,
  remedy text not null,
  routine text,
  source text,
  key_column text,
  query text,
  counts boolean not null default false,
  fix text,
  unique nulls not distinct (plan, name),
  check ((routine is null) <> (source is null)),
  check (source is not null or query is null and fix is null and not counts)
);
comment on table imago.plan_check is 'What validate_migration checks. A check either walks a relation by key, or looks once.';
comment on column imago.plan_check.id is 'Kept by the engine: number of the check.';
comment on column imago.plan_check.plan is 'The plan whose check it is; null: holds for every plan.';
comment on column imago.plan_check.stage is 'The stage whose entities the check names and the fix mends.';
comment on column imago.plan_check.position is 'Order of the checks.';
comment on column imago.plan_check.name is 'Name of the check, in lower case: what answers and the log call it.';
comment on column imago.plan_check.severity is 'error: finalize refuses, and a run says so at its end. warning: to be looked at. manual: a person has to decide.';
comment on column imago.plan_check.phase is 'before: until something is moved; during: from then on; after: once the run has ended.';
comment on column imago.plan_check.meaning is 'What it means when the check finds something.';
comment on column imago.plan_check.remedy is 'What to do then.';
comment on column imago.plan_check.routine is 'A check that looks: a function (imago.plan) returning jsonb. Its findings have object, message and hint each; facts are figures by name.';
comment on column imago.plan_check.source is 'A check that walks: the relation whose key is walked.';
comment on column imago.plan_check.key_column is 'The walked column, indexed and never null; null means the first column of the primary key.';
comment on column imago.plan_check.query is 'SQL listing key (of the source''s type) and entity of what is wrong. Null means that check_query(name) of the plan''s schema writes it, or null where this app has no such columns.';
comment on column imago.plan_check.counts is 'The query lists every row, with the column wrong and numbers that are summed up as facts.';
comment on column imago.plan_check.fix is 'Function of the plan''s schema that mends all that is wrong with an array of entities. It is set-based, and writes declared columns only.';

insert into imago.plan_check (position, name, severity, phase, meaning, remedy, routine) values
  (1, 'requirements', 'error', 'before', 'Something that the plan needs is missing, of the wrong type or not ours to change.', 'Mend each of these; the migration refuses to start until then.', 'imago.check_requirements'),
  (2, 'rights', 'error', 'before', 'The role that Imago runs as lacks a right that preparing needs.', 'Grant it as each finding says; where that cannot be, choose a table of a schema of yours.', 'imago.check_rights'),
  (3, 'row_security', 'error', 'before', 'Row level security hides rows from the role that Imago runs as.', 'Run the statement of each finding: it then applies to all others, and no more to the owner of the table.', 'imago.check_row_security'),
  (4, 'unprotected_tables', 'warning', 'before', 'A table that the plan uses has no row level security: with the default grants everybody reads and writes it through the API.', 'Enable it and write policies before the migration brings more into the table.', 'imago.check_unprotected_tables'),
  (5, 'app_triggers', 'warning', 'before', 'A trigger of the app fires on rows that the plan writes; what it does is not taken back by a rollback.', 'Look what it does; a dry run lists the tables and columns that it wrote.', 'imago.check_app_triggers'),
  (6, 'missing_indexes', 'warning', 'before', 'A column that the plan searches has no index, so that each batch reads the whole table.', 'Create the index before you start; concurrently, so that nobody waits.', 'imago.check_missing_indexes'),
  (7, 'limitations', 'warning', 'before', 'The plan will leave something in this app as it is.', 'Read what it is; nothing needs to be done.', 'imago.check_limitations'),
  (8, 'free_connections', 'warning', 'before', 'Few connections are free: workers of the migration would take them from the app.', 'Run with fewer workers, or through the connection pooler.', 'imago.check_connections'),
  (9, 'long_transactions', 'warning', 'before', 'A transaction has been open for minutes: preparing waits for it, and vacuum cannot clean up behind the migration.', 'Let it end, or end it as the finding says.', 'imago.check_transactions'),
  (10, 'sample', 'warning', 'before', 'Entities of a sample could not be moved; facts has the estimate of the whole, measured by moving the sample and taking it back.', 'Look at the cause with dry_run_migration; such entities will be set aside.', 'imago.check_sample'),
  (11, 'undo_journal', 'error', 'during', 'An undo table, or a trigger that fills it, is missing or disabled: what was moved cannot be rolled back whole.', 'Stop the migration. Without the undo table restore from a backup; a disabled trigger can be enabled again.', 'imago.check_undo_journal'),
  (12, 'sequences', 'error', 'during', 'A sequence lags behind the values that the plan has copied into its column: the app''s next insert takes a value that is there.', 'Run the statement of each finding; the sequence then goes on behind the largest value.', 'imago.check_sequences'),
  (13, 'unreachable', 'error', 'during', 'The view pending lists entities that the walked table does not have: they cannot be moved.', 'Give these rows an entity that is there, or have the view leave them out; then retry_failed_migrations.', 'imago.check_unreachable'),
  (14, 'hidden_rows', 'error', 'during', 'Row level security hides rows from the role that Imago runs as: nothing is moved, and what checks count is too little.', 'Run the statement of each finding.', 'imago.check_row_security');

-- imago.transition
create table imago.transition (
  event text not null,
  from_state text not null,
  to_state text not null,
  sentence text not null,
  primary key (event, from_state)
);
comment on table imago.transition is 'The state machine of a run: each edge with the sentence that says when it happens.';

insert into imago.transition (event, from_state, to_state, sentence) values
  ('start', 'pending', 'running', 'The plan is prepared and the lanes are cut.'),
  ('pause', 'pending', 'paused', 'Someone paused the run before its first batch.'),
  ('pause', 'running', 'paused', 'Someone paused the run; batches in flight have ended.'),
  ('resume', 'paused', 'running', 'Someone let the run go on.'),
  ('cancel', 'pending', 'cancelled', 'Someone gave the run up before its first batch.'),
  ('cancel', 'running', 'cancelled', 'Someone gave the run up; what was moved stays moved.'),
  ('cancel', 'paused', 'cancelled', 'Someone gave the paused run up; what was moved stays moved.'),
  ('cancel', 'failed', 'cancelled', 'Someone gave the failed run up; what was moved stays moved.'),
  ('succeed', 'running', 'succeeded', 'Nothing is pending and nothing is set aside.'),
  ('fail', 'pending', 'failed', 'A step of prepare failed, and was taken back.'),
  ('fail', 'running', 'failed', 'Work ended with entities set aside, the error budget was used up, or the server or schema is in trouble.'),
  ('retry', 'failed', 'running', 'Someone asked for the set-aside entities to be tried again.'),
  ('supersede', 'pending', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'running', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'paused', 'cancelled', 'A run in the other direction took over.');

-- imago.run
create table imago.run (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  direction text not null check (direction in ('forward', 'rollback')),
  state text not null default 'pending'
    check (state in ('pending', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
  reason text,
  error_code text,
  error_detail text[],
  backup boolean not null default true,
  force boolean not null default false,
  max_failures text,
  on_failure text not null default 'stop' check (on_failure in ('stop', 'rollback')),
  caused_by bigint references imago.run on delete set null,
  late_only boolean not null default false,
  validation bigint,
  findings jsonb,
  total bigint,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
);
comment on table imago.run is 'One execution of a plan in one direction. Batches hold its row for share; transitions take it for update.';
comment on column imago.run.reason is 'Why it is in this state, for people. What is decided by it stands in the other columns.';
comment on column imago.run.error_detail is 'For a run that failed: the values of the message of its error_code.';
comment on column imago.run.caused_by is 'For a rollback that the error budget started: the forward run that failed.';
comment on column imago.run.validation is 'For a run that fixes findings, one a call: the validation that found them.';
comment on column imago.run.findings is 'What the checks at the end of a forward run have found: name, severity and counts of each. Null: not checked to the end.';
comment on column imago.run.late_only is 'The plan was walked before: only the late pass is needed.';

create unique index run_unfinished_key on imago.run (plan) where state in ('pending', 'running', 'paused');
comment on index imago.run_unfinished_key is 'At most one unfinished run a plan.';
create index run_plan_idx on imago.run (plan, id);

-- imago.run_stage
create table imago.run_stage (
  run bigint not null references imago.run on delete cascade,
  stage integer not null,
  total bigint not null,
  source_rows bigint not null,
  counted bigint,
  walked bigint check (walked > 0),
  stated_rows bigint,
  primary key (run, stage)
);
comment on table imago.run_stage is 'How large the stages of a run are: what its figures are measured by. Statistics are renewed while it runs; what it was begun with makes no step back.';
comment on column imago.run_stage.total is 'Entities that the stage concerned when the run began.';
comment on column imago.run_stage.source_rows is 'Rows of the walked table then, by its statistics.';
comment on column imago.run_stage.counted is 'Of a large stage whose run forward has ended: the entities that it has come to.';
comment on column imago.run_stage.walked is 'The rows among which it has come to them.';
comment on column imago.run_stage.stated_rows is 'Rows of the table by its statistics at that moment. As long as these are not renewed, what was counted is the better number.';

-- imago.lane
create table imago.lane (
  run bigint not null references imago.run on delete cascade,
  stage integer not null default 1,
  pass text not null check (pass in ('main', 'late')),
  number integer not null,
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
comment on table imago.lane is 'Contiguous ranges of the key space, open at both ends, or of blocks, each with its own cursor. Its row lock is the lease.';
comment on column imago.lane.stage is 'Stage of the plan; its lanes are cut when the stages before it are proved complete.';
comment on column imago.lane.by_block is 'Walked in the order in which rows lie on disk: its bounds and its cursor are ctids. Whatever moves meanwhile, the late pass finds.';
comment on column imago.lane.lower_key is 'Exclusive; null means from the first key.';
comment on column imago.lane.upper_key is 'Inclusive; null means to the last key.';
comment on column imago.lane.waits_for is 'On the first late lane of a stage: virtual transactions that were writing the plan''s tables when the last lane ended.';
comment on column imago.lane.look_timed_out is 'Of the first late lane: one query for what is left does not fit a call, so that an empty walk is the proof.';
comment on column imago.lane.entity_ms is 'Milliseconds that an entity of this lane took lately: how many fit into the time that they may be held.';
comment on column imago.lane.entity_wal is 'Bytes of write-ahead log that an entity of this lane took lately, at most: how many fit into what a slot may still keep.';
comment on column imago.lane.written is 'Rows of the plan''s tables that calls on this lane have written, as the server counts them.';
comment on column imago.lane.moved_before is 'On late lanes that are walked once more: what they had moved when that walk began.';

-- imago.health
create table imago.health (
  run bigint primary key references imago.run on delete cascade,
  counted bigint,
  others_written bigint,
  others_at timestamptz
) with (fillfactor = 20);
comment on table imago.health is 'What the calls of a run have seen of the server around them: one row a run, written by whichever call gets its lock.';
comment on column imago.health.counted is 'Rows that anybody has written in the plan''s tables, as the server counted them at the last look. Where it counts fewer later, its statistics have been reset.';
comment on column imago.health.others_written is 'Rows that others have written in the plan''s tables, as the server counts them since ever: the most that was seen.';
comment on column imago.health.others_at is 'When they were seen last to have written more.';

-- imago.signal
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

-- imago.throttle
create table imago.throttle (
  plan text primary key references imago.plan on delete cascade,
  hours_from time,
  hours_to time,
  time_zone text,
  max_per_second integer check (max_per_second > 0),
  throttle_query text,
  ignored text[] not null default '{}',
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  check ((hours_from is null) = (hours_to is null) and (hours_from is null) = (time_zone is null))
);
comment on table imago.throttle is 'What operators ask of the runs of a plan, set by throttle_migration: it holds for every run, whoever drives it.';
comment on column imago.throttle.hours_from is 'Runs work from this time of the day on; null: at any time.';
comment on column imago.throttle.hours_to is 'Runs work until this time of the day; earlier than hours_from, it is that of the next day.';
comment on column imago.throttle.time_zone is 'Where hours_from and hours_to are meant.';
comment on column imago.throttle.max_per_second is 'Entities that all callers together may move in a second; null: any number.';
comment on column imago.throttle.throttle_query is 'SQL of the operator, one boolean: while it is true, runs are held.';
comment on column imago.throttle.ignored is 'Signals that the governor does not look at.';

-- imago.governor
create table imago.governor (
  plan text primary key references imago.plan on delete cascade,
  level integer not null default 0 check (level between 0 and 3),
  share numeric not null default 1 check (share between 0 and 1),
  looked_at timestamptz,
  lsn pg_lsn,
  wal_room bigint,
  entity_room integer,
  moved bigint,
  held_since timestamptz,
  held_until timestamptz,
  released_at timestamptz,
  backoff_ms integer,
  fine_looks integer not null default 0,
  fine_since timestamptz,
  usual_active numeric,
  usual_entity_ms numeric,
  checkpoints bigint,
  checkpoints_at timestamptz
) with (fillfactor = 20);
comment on table imago.governor is 'What the governor has decided for the runs of a plan. One row a plan, written by whichever call gets its lock, at most once in look_ms.';
comment on column imago.governor.level is 'Worst of what was seen at the last look: 0 fine, 1 slow, 2 hold, 3 this call ends at once.';
comment on column imago.governor.share is 'Share of the time that each caller works; 0: the run is held.';
comment on column imago.governor.lsn is 'End of the write-ahead log at the last look.';
comment on column imago.governor.wal_room is 'Bytes that a call may write before it looks again; null: any number.';
comment on column imago.governor.entity_room is 'Entities that may be moved before the next look; null: any number.';
comment on column imago.governor.moved is 'Entities that the run had moved by the last look.';
comment on column imago.governor.held_until is 'Not to be released before, whatever is seen.';
comment on column imago.governor.backoff_ms is 'Shortest time of the hold that is on, in milliseconds. It is the setting of that name, twice as long each time that a run is held again within 30 seconds, at most 10 minutes.';
comment on column imago.governor.fine_looks is 'Looks in a row in which nothing kept the run from being released.';
comment on column imago.governor.usual_active is 'Sessions of others that were active when the run began.';
comment on column imago.governor.usual_entity_ms is 'What an entity usually takes: a slow mean over the looks of the run.';
comment on column imago.governor.checkpoints is 'Checkpoints on request that the server had made at checkpoints_at, the beginning of the five minutes that are looked at.';

-- imago.reading
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

-- imago.batch
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
comment on column imago.batch.path is 'Who moved: a pass of the lanes (main, late), finish, window, entity, sync, or fix.';
comment on column imago.batch.plan_check is 'Of a fix: the check (imago.plan_check) whose findings it mended. No foreign key, for the same reason.';
create index batch_run_idx on imago.batch (run, id);
create index batch_window_idx on imago.batch (run) where path = 'window';

-- imago.failure
create table imago.failure (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  run bigint,
  stage integer not null default 1,
  entity text,
  kind text not null check (kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held', 'conflict', 'forgotten')),
  direction text not null default 'forward',
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  row_key text,
  reason_kind text check (reason_kind in ('changed', 'edited', 'rekeyed', 'referenced')),
  referenced_by text,
  reason text,
  raised_by text,
  created_at timestamptz not null default clock_timestamp(),
  check (entity is not null or kind = 'unreachable'),
  check (reason_kind is not null = (kind = 'conflict')),
  check (referenced_by is not null = coalesce(reason_kind = 'referenced', false))
);
comment on table imago.failure is 'Entities that are set aside, by kind. They failed, are deferred (blocked by somebody), too_large, unreachable (pending, but not in the source), held (rolled back alone), in conflict, or forgotten while they are there, so that no rollback takes a half of them back. Keys and codes only.';
comment on column imago.failure.stage is 'Stage of the plan that the entity belongs to; 0 and below: rows that several entities share, each named by its own key.';
comment on column imago.failure.entity is 'Key of the entity. Null: rows that the view pending lists without a key.';
comment on column imago.failure.reason_kind is 'Of a conflict: changed, edited, rekeyed or referenced. A declared column was changed since, an inserted row was edited, the app has given a row another key that is not known, or something refers to it.';
comment on column imago.failure.referenced_by is 'Of a conflict: the relation that refers to the inserted row.';
comment on column imago.failure.reason is 'For people. What is decided by it stands in the other columns.';
comment on column imago.failure.raised_by is 'Functions and lines that the error came from, innermost first. The triggers that call them are named, too; null where a statement of the engine met it.';
create index failure_entity_idx on imago.failure (plan, entity);
create unique index failure_set_aside_key on imago.failure (plan, stage, entity, direction) nulls not distinct
  where kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held');

-- imago.sync_failure
create table imago.sync_failure (
  id bigint generated always as identity primary key,
  plan text not null,
  stage integer not null,
  entity text not null,
  relation text not null
);
comment on table imago.sync_failure is 'For each entity the sync that failed for it last. A plan that mirrors asks here which of two sides was written last; the log has one line for a statement.';
comment on column imago.sync_failure.plan is 'No foreign key: a write of the app that fails here would lock the row of the plan.';
comment on column imago.sync_failure.relation is 'What the app wrote: the relation of the sync that failed.';
create index sync_failure_entity_idx on imago.sync_failure (plan, stage, entity);

-- imago.lost_row
create table imago.lost_row (
  id bigint generated always as identity primary key,
  plan text not null,
  relation text not null,
  stage integer not null,
  entity text,
  created_at timestamptz not null default clock_timestamp()
);
comment on table imago.lost_row is 'Where journaled rows may have got another key that the journal does not know. A row of these that a rollback does not find has not been deleted for certain: its entity is in conflict.';
comment on column imago.lost_row.plan is 'No foreign key: a write of the app would lock the row of the plan.';
comment on column imago.lost_row.relation is 'As the plan declares it.';
comment on column imago.lost_row.stage is 'Stage of the plan that the entities of the relation belong to.';
comment on column imago.lost_row.entity is 'The entity that the row belongs to; null: any.';
create index lost_row_entity_idx on imago.lost_row (plan, stage, entity);

-- imago.stray_row
create table imago.stray_row (
  id bigint generated always as identity primary key,
  plan text not null,
  relation text not null,
  stage integer not null,
  row_key text[] not null,
  entity text not null
);
comment on table imago.stray_row is 'Journaled rows that the app has given to another entity, or to nobody. Where no sync follows that, their journal stays with the entity that they were written for; it is found here when their key changes.';
comment on column imago.stray_row.plan is 'No foreign key: a write of the app would lock the row of the plan.';
comment on column imago.stray_row.relation is 'As the plan declares it.';
comment on column imago.stray_row.stage is 'Stage of the plan that the entities of the relation belong to.';
comment on column imago.stray_row.row_key is 'The key of the row, as it is now.';
comment on column imago.stray_row.entity is 'Whom the journal names.';
create index stray_row_key_idx on imago.stray_row (plan, relation, row_key);
create index stray_row_entity_idx on imago.stray_row (plan, stage, entity);

-- imago.log
create table imago.log (
  id bigint generated always as identity primary key,
  created_at timestamptz not null default clock_timestamp(),
  plan text,
  run bigint,
  level text not null check (level in ('debug', 'info', 'warning', 'error')),
  event text not null,
  entity text,
  sqlstate text,
  detail jsonb not null default '{}'
);
comment on table imago.log is 'What happened: transitions, batches, halvings, failures, rollbacks, conflicts. Keys, codes and counts, never values of rows.';
create index log_plan_idx on imago.log (plan, id);

-- imago.added
create table imago.added (
  plan text references imago.plan on delete cascade,
  type text not null,
  names text[] not null,
  arguments text[] not null,
  object_id oid not null,
  column_number integer not null,
  noted_in oid not null,
  comment text,
  created_at timestamptz not null default clock_timestamp(),
  primary key (type, names, arguments)
);
comment on table imago.added is 'What Imago has added outside of its own schemas: what prepare steps did, and functions in schema public. By this, and by this only, clean-up, the doctor and uninstalling know what is ours.';
comment on column imago.added.plan is 'Null: the engine''s own.';
comment on column imago.added.type is 'With names and arguments: the object as pg_identify_object_as_address() names it. Names outlive a dump and its restore, numbers do not.';
comment on column imago.added.object_id is 'Of the object, with column_number for a column. What was dropped and made again under the same name is not ours any more. Counts only in the database of noted_in.';
comment on column imago.added.noted_in is 'The oid that this table had at that time. Another one since: the database was restored from a dump, and its objects have other numbers.';
comment on column imago.added.comment is 'What we have written on the object for people, to take it away again; null where it had a comment of its own.';

-- imago.declared
create table imago.declared (
  plan text not null references imago.plan on delete cascade,
  relation text not null,
  name text not null,
  first_relation text not null,
  first_name text not null,
  relation_id oid not null,
  number integer not null,
  type text,
  labels jsonb,
  noted_in oid not null,
  primary key (plan, relation, number)
);
comment on table imago.declared is 'The tables of a prepared plan as they are known: each with its columns, by what the catalogue knows them by. What is another one now has been moved, renamed, retyped or dropped since.';
comment on column imago.declared.name is 'Of the column; of the table itself (number 0) empty.';
comment on column imago.declared.first_relation is 'What the table was called when the plan was prepared: its functions may call it that still.';
comment on column imago.declared.first_name is 'The same of the column.';
comment on column imago.declared.number is 'In pg_attribute; 0 for the table.';
comment on column imago.declared.type is 'With its modifier, as SQL writes it.';
comment on column imago.declared.labels is 'Of an enum, and of what is made of one (arrays, domains): its labels by their oids. The journal keeps enums as text.';
comment on column imago.declared.noted_in is 'The oid that this table had at that time. Another one since: the database was restored from a dump, and its objects have other numbers. Then names count.';

-- imago.validation
create table imago.validation (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  phase text not null check (phase in ('before', 'during', 'after')),
  fixes boolean not null,
  dry_run boolean not null,
  run bigint references imago.run on delete cascade,
  state text not null default 'checking' check (state in ('checking', 'fixing', 'done')),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
comment on table imago.validation is 'One validation of a plan, over as many calls as it takes. Its row lock is the lease.';
comment on column imago.validation.run is 'Asked by the end of this run, or by finalize after it: checks of severity error, all of them. Null: asked by a person.';
create unique index validation_unfinished_key on imago.validation (plan, fixes, dry_run, coalesce(run, 0)) where state <> 'done';
comment on index imago.validation_unfinished_key is 'At most one unfinished validation a plan for the same options and the same asker.';

-- imago.standstill
create table imago.standstill (
  run bigint primary key references imago.run on delete cascade,
  mark text not null,
  calls integer not null
);
comment on table imago.standstill is 'Calls in a row that have left a run as it was. Only calls that moved nobody write here.';
comment on column imago.standstill.mark is 'Fingerprint of lanes, failures and checks after the last of these calls.';

-- imago.validation_check
create table imago.validation_check (
  validation bigint not null references imago.validation on delete cascade,
  plan_check integer not null references imago.plan_check on delete cascade,
  position integer not null,
  applicable boolean not null default true,
  done boolean not null default false,
  cursor_key text,
  size integer not null default 20,
  piece_ms numeric,
  in_pieces boolean not null default false,
  checked bigint not null default 0,
  total bigint not null default 1,
  found bigint not null default 0,
  remaining bigint,
  fixed bigint not null default 0,
  fixes_failed bigint not null default 0,
  written jsonb not null default '{}',
  deferrals integer not null default 0,
  fix_size integer not null default 10,
  keys text[] not null default '{}',
  findings jsonb not null default '[]',
  facts jsonb not null default '{}',
  error jsonb,
  primary key (validation, plan_check)
) with (fillfactor = 50);
comment on table imago.validation_check is 'How far a validation is with each check: cursor, counts and up to ten keys.';
comment on column imago.validation_check.size is 'Rows of the source in the next piece.';
comment on column imago.validation_check.piece_ms is 'What the slowest piece of a thousand rows or less has taken.';
comment on column imago.validation_check.in_pieces is 'One query over all that was left has timed out: only small pieces since.';
comment on column imago.validation_check.remaining is 'Counted again when fixing: what is still wrong. Null as long as nothing was to be fixed.';
comment on column imago.validation_check.written is 'Rows that the fix has written (or, in a dry run, would have), by relation.';

-- imago types
create type imago.attempt as (
  outcome text,
  batch bigint,
  moved integer,
  rows jsonb,
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  bad_keys text[],
  error_code text,
  error_detail text[],
  raised_by text,
  by_app boolean
);
comment on type imago.attempt is 'What one sub-batch came to: moved, bad (an entity''s fault), blocked (a lock), timeout or stop. error_code and error_detail: for stop, the error that the run ends with and the values of its message. raised_by: functions and lines that the error came from; by_app: of them the app''s own is the innermost.';

create type imago.moves as (
  outcome text,
  resolved integer,
  moved integer,
  failed integer,
  attempts integer,
  next_size integer,
  sqlstate text,
  rows jsonb,
  error_code text,
  error_detail text[]
);
comment on type imago.moves is 'What a list of keys, a lane or the end of a run came to. So many from its start are resolved; the outcome says why it ended there.

done: all of the keys are resolved; for the end of a run, the run has ended.
time: the budget of the call, in milliseconds or sub-batches, is used up.
working: something was done, or another caller was faster; there is more to do.
yield: a transition waits for the run.
busy: another caller holds what this one needs.
deferred: somebody holds a lock; try again in a moment.
timeout: the statement timeout came; the next call takes fewer at once.
incomplete: what is left, or looking for it, does not fit a call: the late pass goes over all once more.
built: an index was built, and writers of its table wait for the end of the call.
budget: more entities have failed than max_failures allows.
stop: the server is in trouble, or the schema does not fit (see sqlstate; error_code and error_detail are what the run ends with).';

create type imago.problem as (
  severity text,
  kind text,
  object text,
  message text,
  hint text
);
comment on type imago.problem is 'For plans: what preflight() returns a set of: something that speaks against starting, or is good to know before. severity: error, warning or notice. kind: a code, of Imago (missing_relation, not_a_table, foreign_owner, no_primary_key, missing_column, key_column, wrong_type, not_unique, no_index, no_value, limitation, guard_trigger, open_schema, visibility, more_visible) or the plan''s own. object, message and hint are for people.';

create type imago.identity_walk as (
  stage integer,
  key_column text
);
comment on type imago.identity_walk is 'Of a table that a stage walks: the column that names its entities.';

create type imago.identity_reference as (
  write_id integer,
  name text,
  referenced text
);
comment on type imago.identity_reference is 'A journaled column of a declared write that follows a column of another table by a foreign key (on update cascade).';

create type imago.identity as (
  columns text[],
  writes imago.plan_write[],
  walks imago.identity_walk[],
  refs imago.identity_reference[]
);
comment on type imago.identity is 'By which columns the journal of a plan knows the rows of a table, and what hangs on each. All names are those of now; writes has all journaled writes of the plan.';

-- imago.accept_edits
create or replace function imago.accept_edits(plan text, relation text, columns text[], former text, keys anyarray)
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write := (select w from imago.plan_write w where w.plan = accept_edits.plan and w.relation = accept_edits.relation);
begin
  if write.undo_table is null then
    return;
  end if;
  execute format(
    'update imago_undo.%1$I j set print = %2$s
     from %3$s t join (%4$s) f on %5$s
     where j.entity = t.%6$I::%7$s and j.op = ''i'' and %8$s
       and %10$s = array[%9$s]::integer[]',
    write.undo_table, imago.fingerprint('t', write.inserted_columns), relation, former,
    imago.each_column('f.%2$I = t.%2$I', relation, write.key_columns, ' and '),
    coalesce(write.entity_column, write.key_columns[1]), imago.entity_type(write.undo_table),
    imago.each_column('j.key_%1$s::%3$s = t.%2$I', relation, write.key_columns, ' and '),
    -- With the former values put in, a row that nobody has edited otherwise has the print of the journal.
    (select string_agg(imago.fingerprint_part(case when c = any (columns) then 'f' else 't' end, c), ', ' order by n)
     from unnest(write.inserted_columns) with ordinality i(c, n)),
    imago.journaled_print(write, 'j'))
  using keys;
end
$$;
comment on function imago.accept_edits(text, text, text[], text, anyarray) is 'For plans: has the journal take over edits of inserted rows that a plan brings to the other side. They are no conflict then. former is a query over keys ($1): the row''s key and these columns as they were before. A row that was edited otherwise stays a conflict.

Example: select imago.accept_edits(''profile_gigs'', ''public."Gigs"'', ''{skills}'', ''select g.id, u.skills from public."Gigs" g join public."User" u on u.id = g."userId" where g.id = any ($1)'', array[1, 2])';

-- imago.active_others
create or replace function imago.active_others(plan text)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select count(*)
    from pg_catalog.pg_stat_activity a
    where a.state = 'active' and a.datname = pg_catalog.current_database() and a.backend_type = 'client backend' and a.pid <> pg_catalog.pg_backend_pid()
      and coalesce(a.wait_event_type, '') not in ('Lock', 'Client', 'Timeout', 'Extension')
      -- Other callers of the same plan are no others.
      and not exists (
        select from imago.run r
        join pg_catalog.pg_locks l on l.locktype = 'advisory' and l.objsubid = 1
          and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(r.id)
        where r.plan = active_others.plan and r.state = 'running' and l.pid = a.pid));
end
$$;
comment on function imago.active_others(text) is 'Sessions that are at work and do not drive this plan.';

-- imago.add_answers
create or replace function imago.add_answers(so_far jsonb, more jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select so_far || more || jsonb_build_object('rows', imago.add_counts(so_far -> 'rows', more -> 'rows')) || (
    select jsonb_object_agg(n, coalesce((so_far ->> n)::numeric, 0) + coalesce((more ->> n)::numeric, 0))
    from unnest(array['processed', 'migrated', 'skipped', 'failed', 'sub_batches', 'duration_ms']) n)
$$;
comment on function imago.add_answers(jsonb, jsonb) is 'Adds the counts of two answers of imago.work_run; the rest is the newer one''s.';

-- imago.add_counts
create or replace function imago.add_counts(counts jsonb, more jsonb, factor integer default 1)
returns jsonb
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_object_agg(name, total), '{}')
    from (
      select name, sum(amount) as total
      from (
        select key as name, value::bigint as amount from jsonb_each_text(coalesce(counts, '{}'))
        union all
        select key, factor * value::bigint from jsonb_each_text(coalesce(more, '{}'))
      ) amounts
      group by name
    ) totals);
end
$$;
comment on function imago.add_counts(jsonb, jsonb, integer) is 'Adds two objects of counts by name; factor -1 subtracts.';

-- imago.added_object
create or replace function imago.added_object(class oid, id oid, column_number integer)
returns setof imago.added
language sql
stable
set search_path = ''
as $$
  select a.*
  from pg_catalog.pg_identify_object_as_address(class, id, added_object.column_number) o
  join imago.added a on a.type = o.type and a.names = o.object_names and a.arguments = o.object_args
  where a.noted_in <> 'imago.added'::pg_catalog.regclass
     or a.object_id = id and a.column_number = added_object.column_number
$$;
comment on function imago.added_object(oid, oid, integer) is 'The note that Imago has added an object, by its address. None for one that was dropped and made again since.';

-- imago.allowed_events
create or replace function imago.allowed_events(state text)
returns text
language sql
stable
set search_path = ''
as $$
  -- start, succeed, fail and supersede are edges too, and happen by themselves.
  select coalesce(string_agg(t.event, ', ' order by t.event), 'nothing; migrate_batch starts a new run')
  from imago.transition t
  where t.from_state = allowed_events.state and t.event in ('pause', 'resume', 'cancel', 'retry')
$$;
comment on function imago.allowed_events(text) is 'What people may ask of a run in this state, for the hint of IM008.';

-- imago.allowed_failures
create or replace function imago.allowed_failures(run imago.run)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select case
    when run.direction = 'rollback' then 9223372036854775807
    when run.max_failures is null then greatest(100, floor(coalesce(run.total, 0) * 0.01))::bigint
    when run.max_failures ~ '%$' then floor(coalesce(run.total, 0) * rtrim(run.max_failures, '%')::numeric / 100)::bigint
    else run.max_failures::bigint
  end
$$;
comment on function imago.allowed_failures(imago.run) is 'The error budget in entities: a number, a share of the total, or 1 % and at least 100. A rollback has none: it reports.';

-- imago.amount_text
create or replace function imago.amount_text(unit text, value numeric, capacity numeric)
returns text
language sql
immutable
set search_path = ''
as $$
  select case unit
    when 'bytes' then case
      when capacity is null then format('%s %s', round(value / s.size, s.digits), s.name)
      else format('%s of %s %s', round(value / s.size, s.digits), round(capacity / s.size, s.digits), s.name) end
    when 'seconds' then format('%s s', round(value))
    when 'milliseconds' then case
      when capacity is null then format('%s ms', round(value)) else format('%s and %s ms', round(value, 1), round(capacity, 1)) end
    else case when capacity is null then format('%s', round(value)) else format('%s and %s', round(value), round(capacity)) end
  end
  from (
    select c.* from (values (1073741824, 1, 'GB'), (1048576, 0, 'MB'), (1024, 0, 'kB')) c(size, digits, name)
    where c.size <= coalesce(capacity, value) or c.size = 1024
    order by c.size desc limit 1
  ) s
$$;
comment on function imago.amount_text(text, numeric, numeric) is 'A value in words, with what it is a part of or compared with: 3.1 of 4.0 GB.';

-- imago.analyze_journal
create or replace function imago.analyze_journal(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  undo text;
begin
  for undo in
    select w.undo_table from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass('imago_undo.' || quote_ident(w.undo_table))
    where w.plan = plan_name and pg_catalog.pg_stat_get_mod_since_analyze(c.oid) >= c.reltuples / 10
  loop
    execute format('analyze imago_undo.%I', undo);
  end loop;
end
$$;
comment on function imago.analyze_journal(text) is 'Statistics for the journal before it is read at large, unless it has hardly changed since the last. It may have been empty when autovacuum looked.';

-- imago.app_search_path
create or replace function imago.app_search_path()
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Temporary tables come last: whoever makes one named like a table of the app would otherwise be read and written in its place.
  -- PL/pgSQL, since each sub-batch asks several times: its plan is kept.
  return (
    select found.path || case when found.path ~ '\mpg_temp\M' then '' else ', pg_temp' end
    from (
      select coalesce(
        (select nullif(s.value, '') from imago.setting s where s.name = 'app_search_path'),
        (select substr(c.entry, length('search_path=') + 1)
         from pg_catalog.pg_db_role_setting d
         cross join unnest(d.setconfig) c(entry)
         left join pg_catalog.pg_roles r on r.oid = d.setrole
         where c.entry like 'search\_path=%'
           and d.setdatabase in (0, (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
           and (d.setrole = 0 or r.rolname in ('authenticator', 'authenticated', 'service_role', current_user))
         order by
           case r.rolname when 'authenticator' then 1 when 'authenticated' then 2 when 'service_role' then 4 else case d.setrole when 0 then 3 else 5 end end,
           d.setdatabase = 0
         limit 1),
        array_to_string(array['"$user"', 'public', 'extensions'], ', ')) as path
    ) found);
end
$$;
comment on function imago.app_search_path() is 'For plans: the search_path under which the app''s code runs while tables of the app are written. It is the setting app_search_path, else that of the role authenticator or authenticated, of the database, of service_role or of this role, else Supabase''s default. A function with set search_path = '''' that writes tables of the app begins with the example, so that triggers of the app find their names.

Example: perform set_config(''search_path'', imago.app_search_path(), true)';

-- imago.are_others_writing
create or replace function imago.are_others_writing(run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen imago.health;
  written bigint;
  others bigint;
begin
  -- One call looks; who comes meanwhile takes what was seen before.
  select h.* into seen from imago.health h where h.run = run.id for update skip locked;
  if found then
    -- Sessions report what they have written a moment after they commit: this can be too little, never too much. A batch that was
    -- rolled back counts as somebody else's.
    written := imago.writes_counted(run.plan, own => false);
    others := written - (select coalesce(sum(l.written), 0) from imago.lane l where l.run = run.id);
    if written < seen.counted then
      -- The statistics have been reset, as after a crash: what was seen before is no measure any more.
      seen.others_written := null;
    end if;
    update imago.health h set
      counted = written,
      others_written = greatest(seen.others_written, others),
      others_at = case when others > seen.others_written then clock_timestamp() else seen.others_at end
    where h.run = run.id
    returning h.others_at into seen.others_at;
  else
    select h.* into seen from imago.health h where h.run = run.id;
  end if;
  return case when seen.others_written is not null
    then coalesce(seen.others_at > clock_timestamp() - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0), false) end;
end
$$;
comment on function imago.are_others_writing(imago.run) is 'Whether others write the tables of a run''s plan, or have in the last quiet_ms. Null at the first look, and at the first after the server''s statistics were reset, which cannot say.';

-- imago.ask_pending
create or replace function imago.ask_pending(plan imago.plan, question text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select imago.ask_plan(plan.name, 'view ' || imago.plan_object(plan, 'pending'), question)
$$;
comment on function imago.ask_pending(imago.plan, text) is 'Asks the view pending of a stage something, outside of a batch: one value, or IM071.';

-- imago.ask_plan
create or replace function imago.ask_plan(plan_name text, what text, question text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  answer jsonb;
  context text;
begin
  -- What belongs to the plan may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute question into answer;
  return answer;
exception when others or assert_failure then
  get stacked diagnostics context = pg_exception_context;
  perform imago.raise_unreadable(plan_name, what, sqlstate, context);
  raise;
end
$$;
comment on function imago.ask_plan(text, text, text) is 'Asks a view or function of a plan something, outside of a batch: one value, under the app''s search_path. Where it cannot be read, IM071 says what and who is to blame.';

-- imago.attempt_batch
create or replace function imago.attempt_batch(run imago.run, plan imago.plan, keys text[], path text, careful boolean default false, fixed imago.plan_check default null)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.attempt;
  detail text;
  context text;
begin
  begin
    set constraints all deferred;
    if run.direction = 'forward' then
      result := imago.move_forward(run, plan, keys, path, fixed);
    else
      -- Of the key's own type once for all that it does.
      execute format('select b.* from imago.move_back($1, $2, $3::%s[], $4, $5) b', plan.key_type)
      into result using run, plan, keys, path, careful;
    end if;
    result.outcome := 'moved';
    return result;
  exception
    when others or query_canceled or assert_failure then
      result := null;
      get stacked diagnostics
        result.sqlstate = returned_sqlstate, result.constraint_name = constraint_name, result.table_name = table_name,
        result.column_name = column_name, detail = pg_exception_detail, context = pg_exception_context;
      result := imago.sort_error(result, detail, context, plan.name);
      if result.outcome = 'timeout' and not imago.timed_out() then
        raise;
      end if;
  end;
  if result.sqlstate = '40IM1' and not careful and not result.by_app then
    return imago.attempt_batch(run, plan, keys, path, true);
  end if;
  result.moved := 0;
  result.rows := '{}';
  return result;
end
$$;
comment on function imago.attempt_batch(imago.run, imago.plan, text[], text, boolean, imago.plan_check) is 'One sub-batch in a subtransaction: what goes wrong is rolled back and sorted (sort_error). A person''s cancel is raised again. A rollback looks for conflicts, row by row, only when there is a sign of one (40IM1).';

-- imago.attempt_drop
create or replace function imago.attempt_drop(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  return imago.drop_undo(plan.name);
exception
  when lock_not_available or deadlock_detected then
    return null;
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    perform imago.raise_error('IM041', 'journal', plan.name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan.name)).raised_by));
end
$$;
comment on function imago.attempt_drop(imago.plan) is 'Drops the journal of a plan, whole or not at all. Null where a lock was not granted, IM041 for errors.';

-- imago.attempt_step
create or replace function imago.attempt_step(plan imago.plan, step imago.plan_step, closing boolean, allow_data_loss boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  outcome jsonb := '{"has_more": false, "warnings": []}';
  name text := coalesce(step.name, 'triggers of Imago');
  relation text;
  broken text;
  context text;
  raiser record;
begin
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  perform set_config('imago.allow_data_loss', case when allow_data_loss then 'on' else '' end, true);
  if closing then
    -- With the step itself: nothing is written in between that would not reach the other side.
    perform imago.remove_triggers(plan);
    update imago.plan p set closed_at = clock_timestamp() where p.name = plan.name;
  end if;
  if step.plan is not null then
    outcome := imago.run_step(step);
  end if;
  perform set_config('imago.allow_data_loss', '', true);
  return outcome;
exception
  when lock_not_available or deadlock_detected then
    perform imago.write_log(plan.name, null, 'warning', coalesce(step.phase, 'finalize') || '_deferred', jsonb_build_object('step', name), null, sqlstate);
    return null;
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    perform imago.raise_error('IM058', name, plan.name);
  when others or assert_failure then
    get stacked diagnostics relation = table_name, broken = constraint_name, context = pg_exception_context;
    raiser := imago.find_raiser(context, sqlstate, plan.name);
    if sqlstate like 'IM%' and not raiser.by_app then
      raise;
    end if;
    perform imago.raise_error('IM041', name, plan.name, concat_ws(', ', imago.sqlstate_text(sqlstate, case when raiser.by_app then raiser.raised_by end), nullif(relation, ''), nullif(broken, '')));
end
$$;
comment on function imago.attempt_step(imago.plan, imago.plan_step, boolean, boolean) is 'Does a finalize or clean-up step with a short lock timeout, whole or not at all. Null where a lock was not granted, IM041 for errors. The step that closes the way back removes our triggers in the same transaction.';

-- imago.bad_keys
create or replace function imago.bad_keys(plan imago.plan, segment text[], attempt imago.attempt)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  free text[];
  result text[];
begin
  if attempt.bad_keys is not null then
    return attempt.bad_keys;
  end if;
  if cardinality(segment) = 1 then
    return segment;
  end if;
  if attempt.outcome <> 'blocked' then
    return '{}';
  end if;
  free := imago.lock_entities(plan, segment, true);
  execute format(
    'select coalesce(array_agg(%1$I::text order by %1$I), ''{}'') from %2$s
     where %1$I = any ($1::%3$s[]) and %1$I::text <> all ($2)',
    plan.key_column, plan.source, plan.key_type)
  into result using segment, free;
  return result;
end
$$;
comment on function imago.bad_keys(imago.plan, text[], imago.attempt) is 'The entities of a failed segment that are known to be the cause; empty when only halving can tell.';

-- imago.batch_statistics
create or replace function imago.batch_statistics(run_id bigint)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with batches as (
    select b.* from imago.batch b where b.run = run_id and b.moved > 0
  ), relations as (
    select r.key, sum(r.value::bigint) as amount from batches b, jsonb_each_text(b.rows) r group by r.key
  ), calls as (
    select extract(epoch from max(b.created_at + make_interval(secs => b.ms / 1000.0)) - min(b.created_at)) * 1000 as ms from batches b group by b.xid
  ), trace as (
    select jsonb_agg(jsonb_build_object('batch', t.id, 'size', t.size, 'ms', t.ms) order by t.id) as points
    from (select b.id, b.size, b.ms from batches b order by b.id desc limit 100) t
  )
  select jsonb_build_object(
    'per_minute_now', (select round(imago.recent_rate(r)) from imago.run r where r.id = run_id),
    'per_minute_average', round(60 * sum(b.moved)
      / nullif(extract(epoch from max(b.created_at) - min(b.created_at)) + avg(b.ms) / 1000, 0)),
    'average_ms_per_entity', round(sum(b.ms) / nullif(sum(b.moved), 0), 4),
    'batches', count(*),
    'batch_ms', jsonb_build_object(
      'p50', percentile_cont(0.5) within group (order by b.ms), 'p95', percentile_cont(0.95) within group (order by b.ms),
      'p99', percentile_cont(0.99) within group (order by b.ms), 'max', max(b.ms)),
    'held_ms', (
      select jsonb_build_object(
        'p50', round(percentile_cont(0.5) within group (order by c.ms)), 'p99', round(percentile_cont(0.99) within group (order by c.ms)),
        'max', round(max(c.ms)))
      from calls c),
    'batch_size_trace', coalesce((select points from trace), '[]'),
    'rows', coalesce((select jsonb_object_agg(key, amount) from relations), '{}'),
    'wal_bytes_per_batch', round(avg(b.wal_bytes)), 'wal_bytes_per_entity', round(sum(b.wal_bytes) / nullif(sum(b.moved), 0)),
    'wal_is_server_wide', true)
  from batches b
$$;
comment on function imago.batch_statistics(bigint) is 'Rates, times, sizes, rows and WAL of the batches of a run.';

-- imago.begin_sync_batch
create or replace function imago.begin_sync_batch(plan_name text, sync_position integer, entities text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  run imago.run;
  write_id integer;
  batch bigint;
begin
  select r.* into run from imago.run r
  where r.plan = plan_name and r.direction = 'forward' and r.validation is null and r.started_at is not null
  order by r.id desc limit 1;
  -- Before the first run nothing is moved, and what is written will be moved by it.
  if not found then
    return null;
  end if;
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if sync.creates and exists (select from imago.last_moving_run(plan_name) r where r.direction = 'rollback') then
    return null;
  end if;
  insert into imago.batch (run, plan, direction, path, journaled, size)
  values (run.id, plan_name, 'forward', 'sync', run.backup and sync.direction = 'forward', cardinality(entities))
  returning id into batch;
  for write_id in select w.id from imago.plan_write w where w.plan = plan_name loop
    -- In a batch of another plan, which may lie in one of this plan: what that one has counted is not forgotten. Too high a count
    -- only has more compacted.
    if coalesce(current_setting('imago.batch', true), '') = '' or coalesce(current_setting('imago.fired_' || write_id, true), '') = '' then
      perform set_config('imago.fired_' || write_id, '0', true);
    end if;
  end loop;
  return batch;
end
$$;
comment on function imago.begin_sync_batch(text, integer, text[]) is 'Opens the batch of one sync under the newest forward run. Null when there is nothing to do: no run yet, or a sync that creates while the plan goes back.';

-- imago.begun_stages
create or replace function imago.begun_stages(run imago.run, plan imago.plan)
returns setof imago.plan
language sql
stable
set search_path = ''
as $$
  select s.*
  from (select distinct l.stage as number from imago.lane l where l.run = begun_stages.run.id) n
  cross join lateral imago.plan_at_stage(begun_stages.plan, n.number) s
  order by case run.direction when 'forward' then n.number else -n.number end
$$;
comment on function imago.begun_stages(imago.run, imago.plan) is 'The stages of a run whose lanes have been cut, in the order in which it works on them.';

-- imago.bounded_size
create or replace function imago.bounded_size(size integer, lane imago.lane, governor imago.governor, entities_left bigint)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The first write to a page after a checkpoint takes all of it along: an entity may need far more than the last ones did.
  return greatest(1, least(
    size,
    entities_left,
    governor.wal_room / greatest(lane.entity_wal, 65536)))::integer;
end
$$;
comment on function imago.bounded_size(integer, imago.lane, imago.governor, bigint) is 'Size of a sub-batch, cut to what may be moved and written before the next look.';

-- imago.build_capture
create or replace function imago.build_capture(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Rows that several entities share are entities of their own.
  write.entity_column := coalesce(write.entity_column, write.key_columns[1]);
  if write.inserts then
    perform imago.create_capture(write, 'insert', format(
      'insert into imago_undo.%I (batch, entity, op, %s, print)
       select imago_batch, %s, ''i'', %s, %s from new_rows n;',
      write.undo_table,
      imago.each_column('key_%1$s', write.relation, write.key_columns),
      imago.owner_sql(write, 'n'),
      imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.fingerprint('n', write.inserted_columns)));
  end if;
  perform imago.create_capture(write, 'update', imago.capture_update(write), format(
    'if coalesce(current_setting(''imago.batch'', true), '''') = '''' or not imago.is_batch_open(%L) then %s end if;',
    write.plan, imago.watch_identity(write.plan, write.relation)));
end
$$;
comment on function imago.build_capture(imago.plan_write) is 'Generates the trigger functions of one declared write, with its columns and types written out.';

-- imago.build_captures
create or replace function imago.build_captures(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  -- A new body takes no lock on the tables.
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.captured_at is not null order by w.position loop
    perform imago.build_capture(write);
    if write.kept_at is not null then
      perform imago.build_note(write);
      perform imago.build_keep(write);
    end if;
  end loop;
  perform imago.build_walk(plan_name, o.stage, o.relation) from imago.walked_only(plan_name) o where o.is_installed;
end
$$;
comment on function imago.build_captures(text) is 'Generates the trigger functions by which a plan journals anew, by its tables as they are now.';

-- imago.build_index
create or replace function imago.build_index(run imago.run, write_id integer, relation text, column_name text)
returns boolean
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
set maintenance_work_mem = '128MB'
as $$
declare
  started timestamptz := clock_timestamp();
begin
  begin
    perform set_config('lock_timeout', imago.index_wait_ms(relation)::text, true);
    -- One builder at a time; whoever was before us may have built it.
    perform from imago.plan_write w where w.id = write_id for update;
    if imago.index_of(relation, column_name) is null then
      execute format('create index on %s (%I) where %2$I is not null', relation, column_name);
      perform imago.note_added(run.plan, imago.index_of(relation, column_name)::text);
      perform imago.write_log(run.plan, run.id, 'info', 'index', jsonb_build_object(
        'relation', relation, 'column', column_name, 'ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000)));
    end if;
    return true;
  exception
    when lock_not_available or deadlock_detected then
      perform imago.write_log(run.plan, run.id, 'warning', 'index_deferred',
        jsonb_build_object('relation', relation, 'column', column_name), null, sqlstate);
      return false;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.leave_index_to_person(run, write_id, column_name, 'building it does not fit a call', sqlstate);
    when others then
      perform imago.leave_index_to_person(run, write_id, column_name, 'it could not be built', sqlstate);
  end;
  return true;
end
$$;
comment on function imago.build_index(imago.run, integer, text, text) is 'Builds one of these indexes, partial, while the writers of its table wait; what does not work is left to a person. False when the table is not to be had within index_wait_ms.';

-- imago.build_indexes
create or replace function imago.build_indexes(run imago.run, give_up_at timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing record;
  built boolean := false;
  started timestamptz := clock_timestamp();
  -- The writers of each table that has got its index wait until the call ends.
  a_moment constant interval := '100 ms';
begin
  -- A rehearsal would keep writers waiting to its end, for an index that it takes back.
  if current_setting('imago.dry', true) = 'on' then
    return 'none';
  end if;
  loop
    select u.* into missing from imago.missing_indexes(run.plan) u where not u.is_left limit 1;
    exit when not found or built and clock_timestamp() > started + a_moment;
    if missing.bytes >= imago.setting_number('index_mb') * 1024 * 1024::bigint then
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, 'the table is too large to keep its writers waiting for one');
    elsif imago.build_index(run, missing.write_id, missing.relation, missing.column_name) then
      built := true;
    elsif clock_timestamp() < give_up_at then
      return 'deferred';
    else
      perform imago.leave_index_to_person(run, missing.write_id, missing.column_name, 'a transaction that does not end writes the table', '55P03');
    end if;
  end loop;
  return case when not built then 'none' when clock_timestamp() > started + a_moment then 'built' else 'quick' end;
end
$$;
comment on function imago.build_indexes(imago.run, timestamptz) is 'Builds the indexes that rollback needs on columns that point at inserted rows. After the walk, since rows are moved without touching any index while that column has none. Outcome built (perhaps not all: call again), quick (all, within a moment), deferred (somebody writes a table; waited for until give_up_at) or none. Tables of index_mb or more are left to a person.';

-- imago.build_keep
create or replace function imago.build_keep(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  touch text := (
    select string_agg(format('new.%1$s := old.%1$s;', imago.quoted_name(c)), ' ') from unnest(imago.touch_columns(write.relation, write.columns)) c where write.columns <> '{}');
  held text := imago.side_values(write, 'new.%4$s := old.%4$s;', ' ');
  -- The old row with what the rollback restores: fewer columns to copy than all that must stay.
  restored text := (select string_agg(format('old.%1$s := new.%1$s;', imago.quoted_name(c)), ' ') from unnest(write.columns) c);
  noted text := imago.side_values(write, 'new.%4$s := imago_note[%3$s]::%2$s;', ' ');
  partitioned boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Runs for each row, so little is asked: the third part of the setting is empty in a batch that goes forward. Security definer would cost more
  -- than the body, and is needed on a partitioned table only, where writes straight to a partition pass by the guard. What the last
  -- pass asks for is asked for by a setting, which a statement may set behind the guard: so that pass is proved to be ours.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     %s
     set search_path = ''''
     as %L',
    write.undo_table || '_keep',
    case when partitioned then 'security definer' else 'security invoker' end,
    format(
      'declare
         imago_pass constant text := pg_catalog.split_part(pg_catalog.current_setting(''imago.batch'', true), '':'', 3);
         imago_note text[];
       begin
         %1$s
         if imago_pass = ''back'' and pg_catalog.pg_trigger_depth() = 1 and %7$L then
           %4$s
           return old;
         end if;
         %6$s
         if imago_pass = ''side'' then
           if pg_catalog.pg_trigger_depth() = 1 then
             if not imago.is_batch_open(%5$L) then
               return new;
             end if;
             imago_note := pg_catalog.current_setting(''imago.note'', true);
             if pg_catalog.cardinality(imago_note) > 0 then
               %2$s
             end if;
           else
             %3$s
           end if;
         end if;
         return new;
       end',
      case when partitioned then format('if not imago.is_batch_open(%L) then return new; end if; ', write.plan) else '' end,
      coalesce(noted, 'null;'), coalesce(held, ''), coalesce(restored, 'null;'), write.plan, coalesce(touch, ''), restored is not null));
  execute format('comment on function imago_undo.%I() is %L', write.undo_table || '_keep',
    format('Trigger function: in batches of plan %s, keeps what triggers of the app must not move in %s.', write.plan, write.relation));
  execute format('revoke all on function imago_undo.%I() from public', write.undo_table || '_keep');
end
$$;
comment on function imago.build_keep(imago.plan_write) is 'Generates the trigger function that has the last word on a row. Batches leave updated_at-like columns as they are, rollbacks all that they do not restore, and their last pass gets what it asks for.';

-- imago.build_note
create or replace function imago.build_note(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format(
    'create or replace function imago_undo.%1$I()
     returns trigger
     language plpgsql
     volatile
     set search_path = ''''
     as %2$L',
    write.undo_table || '_note',
    format('begin perform set_config(''imago.note'', array[%s]::text, true); return new; end',
      coalesce(imago.side_values(write, 'new.%4$s::text'), 'null')));
  execute format('comment on function imago_undo.%I() is %L', write.undo_table || '_note',
    format('Trigger function: notes what the last pass of a rollback of plan %s asks of a row, before triggers of the app see it.', write.plan));
  execute format('revoke all on function imago_undo.%I() from public', write.undo_table || '_note');
end
$$;
comment on function imago.build_note(imago.plan_write) is 'Generates the trigger function that notes what a rollback''s last pass sets undeclared columns to.';

-- imago.build_sync
create or replace function imago.build_sync(sync imago.plan_sync, plan imago.plan, ending text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine text := imago.sync_function(sync.plan, sync.position);
begin
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     set lock_timeout = %L
     %s
     set enable_seqscan = off
     set jit = off
     as %L',
    routine, imago.setting_number('lock_timeout_ms') || 'ms', imago.fixed_formats(), imago.sync_body(sync, plan, ending));
  execute format('comment on function imago_undo.%I() is %L', routine, format('Sync of plan %s: %s.', sync.plan, sync.name));
  execute format('revoke all on function imago_undo.%I() from public', routine);
  return routine;
end
$$;
comment on function imago.build_sync(imago.plan_sync, imago.plan, text) is 'Generates the trigger function of one sync; returns its name.';

-- imago.build_walk
create or replace function imago.build_walk(plan_name text, stage integer, relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine text := imago.walk_function(plan_name, stage);
begin
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     %s
     as %L',
    routine, imago.fixed_formats(), format(
      'declare
         imago_moved boolean;
         imago_moves jsonb;
         imago_relation text;
         imago_identity imago.identity;
         imago_context text;
       begin
         %s
         return null;
       end', imago.watch_identity(plan_name, relation)));
  execute format('comment on function imago_undo.%I() is %L', routine,
    format('Trigger function: has the journal of plan %s follow keys of %s that the app changes.', plan_name, relation));
  execute format('revoke all on function imago_undo.%I() from public', routine);
end
$$;
comment on function imago.build_walk(text, integer, text) is 'Generates the trigger function of a table that a plan walks and does not write.';

-- imago.busy_answer
create or replace function imago.busy_answer(plan imago.plan, detailed boolean, fixes boolean, dry_run boolean, started timestamptz, run_id bigint default null)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(imago.validation_answer(max(v.id), 'busy', detailed, started), '{}') || jsonb_build_object(
    'plan', (busy_answer.plan).name, 'phase', coalesce(max(v.phase), imago.validation_phase(busy_answer.plan)),
    'status', 'busy', 'has_more', true, 'retry_after_ms', 100)
  from imago.validation v
  where v.plan = (busy_answer.plan).name and v.fixes = busy_answer.fixes and v.dry_run = busy_answer.dry_run
    and v.run is not distinct from run_id and v.state <> 'done'
$$;
comment on function imago.busy_answer(imago.plan, boolean, boolean, boolean, timestamptz, bigint) is 'What a second caller is answered: how far the validation was when the first one took it up.';

-- imago.call_budget
create or replace function imago.call_budget(run imago.run, max_ms integer, others_write boolean)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case
    when others_write then least(max_ms, imago.setting_number('hold_ms'))
    -- Who starts a run keeps its row from all others until the call ends, so that call is short where others could join.
    when run.started_at >= transaction_timestamp() and exists (select from imago.lane l where l.run = run.id and l.number > 1)
    then least(max_ms, 100)
    -- Room that rows have left on their pages can be used once every transaction that began before has ended: with others at
    -- work that takes two calls.
    when imago.others_at_work(run.id) then least(max_ms, greatest(100, max_ms / 2))
    else max_ms
  end;
end
$$;
comment on function imago.call_budget(imago.run, integer, boolean) is 'The milliseconds that a call works on a run: what its caller gave, or less. hold_ms while others write its tables; half of it while other callers are at work; a tenth of a second when the call has just started a run of several lanes.';

-- imago.call_deadline
create or replace function imago.call_deadline(max_ms integer)
returns timestamptz
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
declare
  timeout constant interval := current_setting('statement_timeout')::interval;
begin
  -- Past 70 % of the caller's statement timeout no new sub-batch begins: the timeout may also fall where nobody can catch it.
  return least(
    clock_timestamp() + make_interval(secs => max_ms / 1000.0),
    case when timeout > interval '0' then statement_timestamp() + 0.7 * timeout end);
end
$$;
comment on function imago.call_deadline(integer) is 'When a call stops beginning work: its time budget, cut to fit the caller''s statement timeout.';

-- imago.caller_name
create or replace function imago.caller_name()
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    'user:' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'),
    'role:' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'),
    'role:' || session_user)
$$;
comment on function imago.caller_name() is 'Who makes this call: the signed-in user, the role of the key, or the role of the session.';

-- imago.canonical_key
create or replace function imago.canonical_key(plan imago.plan, entity text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  result text;
begin
  execute format('select ($1::%s)::text', plan.key_type) into result using entity;
  return result;
end
$$;
comment on function imago.canonical_key(imago.plan, text) is 'A key as the journal and the lists of entities write it, whatever way somebody typed it.';

-- imago.capture_columns
create or replace function imago.capture_columns(write imago.plan_write, side_changed text)
returns text
language sql
stable
set search_path = ''
as $$
  -- Rows that a batch has inserted go back by their fingerprint; those that one of the app's triggers changes in its way are the app's.
  select imago.trigger_query(
    'insert into imago_undo.%3$I (batch, entity, op, %4$s%5$s, side)
     select %1$s, %6$s, %2$s, %7$s%8$s, %9$s
     from old_rows o join new_rows n on %10$s where (%11$s)%12$s', array['imago_batch', 'imago_kind'], '',
    write.undo_table,
    imago.each_column('key_%1$s', write.relation, write.key_columns),
    concat(imago.each_column(', before_%1$s', write.relation, write.columns, ''), imago.each_column(', after_%1$s', write.relation, write.columns, '')),
    imago.owner_sql(write, 'n'),
    imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
    concat(imago.each_column(', o.%2$I::%4$s', write.relation, write.columns, ''), imago.each_column(', n.%2$I::%4$s', write.relation, write.columns, '')),
    case when side_changed is null then 'null' else format(
      'case when %s then (select pg_catalog.jsonb_object_agg(s.name, pg_catalog.jsonb_build_array(s.was, s.is_now))
         from (values %s) s(name, was, is_now) where s.was is distinct from s.is_now) end',
      side_changed, imago.side_values(write, '(%1$L, o.%1$I::text, n.%1$I::text)')) end,
    imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
    concat_ws(' or ', imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', write.relation, write.columns, ' or '), side_changed),
    case when write.columns = '{}' then format(
      ' and not exists (select from imago_undo.%I i where i.entity = %s and i.op = ''i'' and %s)',
      write.undo_table, imago.owner_sql(write, 'n'),
      imago.each_column('i.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and ')) end)
  where write.columns <> '{}' or side_changed is not null
$$;
comment on function imago.capture_columns(imago.plan_write, text) is 'PL/pgSQL that journals the declared columns of updated rows. Given the condition that other columns changed, it says what these were and are. Null where there is neither.';

-- imago.capture_keys
create or replace function imago.capture_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'if (coalesce(current_setting(''imago.back'', true), '''') <> '''' or not imago.has_app_trigger(tg_relid)) and %s then
       raise exception using errcode = ''IM072'', message = ''a primary key was changed'', table = %L;
     end if;',
    -- Where triggers of the app may be to blame, refuse_new_keys has looked already.
    imago.identity_changed(write.relation, write.key_columns, false), write.relation)
$$;
comment on function imago.capture_keys(imago.plan_write) is 'PL/pgSQL of a capture function: refuses rows whose primary key a batch, or a trigger of the app, has changed (IM072).';

-- imago.capture_problems
create or replace function imago.capture_problems(plan text)
returns table (relation text, kind text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  with writes as (
    select w.*, pg_catalog.to_regclass(w.relation) as oid
    from imago.plan_write w
    where w.plan = capture_problems.plan and w.captured_at is not null
  ), walked as (
    select o.relation, t.oid as table_oid, 'walk' as kind, imago.trigger_name(p.name, 'walk') as name,
      format('imago_undo.%I()', imago.walk_function(p.name, o.stage)) as routine
    from imago.plan p
    cross join lateral imago.walked_only(p.name) o
    cross join lateral imago.written_tables(o.relation) t(oid)
    where p.name = capture_problems.plan and p.prepared_at is not null and p.closed_at is null
  ), wanted as (
    select w.relation, t.oid as table_oid, k.kind, imago.trigger_name(w.plan, k.kind) as name,
      case k.kind when 'guard' then 'imago.drop_forged_batch()' else format('imago_undo.%I()', w.undo_table || '_' || k.kind) end as routine
    from writes w
    cross join lateral (select w.oid union select o from imago.written_tables(w.relation) o) t(oid)
    cross join lateral unnest(array['guard', 'update', 'insert', 'note', 'keep']) k(kind)
    where w.oid is not null
      and (k.kind <> 'insert' or w.inserts)
      -- Row triggers: PostgreSQL has the partitions follow by itself.
      and (k.kind not in ('note', 'keep') or w.kept_at is not null and t.oid = w.oid)
    union all
    select * from walked
  )
  select w.relation, 'no_table', w.relation, 'there is no such table any more', 'Rename it back, or restore it.'
  from writes w where w.oid is null
  union all
  select w.relation, 'no_journal', format('imago_undo.%I', w.undo_table), format('is missing: what was written to %s cannot be taken back', w.relation),
    'Restore from a backup if you need the way back.'
  from writes w where pg_catalog.to_regclass(format('imago_undo.%I', w.undo_table)) is null
  union all
  select w.relation, 'trigger', format('trigger %I on %s', coalesce(g.tgname, w.name), w.table_oid::pg_catalog.regclass),
    case when g.oid is null then 'is missing: the table was replaced, the partition came later, or somebody dropped it'
      else format('%s: %s', case when g.tgenabled = 'D' then 'is disabled' else 'fires for replicas only' end,
        case when w.kind = 'walk' then 'the journal does not follow keys that the app changes' else 'batches write without a journal' end) end,
    case when g.oid is null then 'Pause the migration; roll back and start again to have it installed anew.'
      else format('alter table %s enable trigger %I;', w.table_oid::pg_catalog.regclass, g.tgname) end
  from wanted w
  left join pg_catalog.pg_trigger g on g.tgrelid = w.table_oid and g.tgfoid = pg_catalog.to_regprocedure(w.routine)
    and (w.kind <> 'guard' or g.tgname = w.name)
  where g.oid is null or g.tgenabled not in ('O', 'A')
  union all
  select w.relation, 'function', w.routine, 'was replaced by somebody: it journals nothing', 'Pause the migration; roll back and start again to have it installed anew.'
  from (select distinct w.relation, w.kind, w.routine from wanted w) w
  join pg_catalog.pg_proc p on p.oid = pg_catalog.to_regprocedure(w.routine)
  where w.kind in ('update', 'insert') and strpos(p.prosrc, '_seen') = 0
  union all
  select w.relation, 'rule', format('rule %I on %s', r.rulename, w.relation), 'is done instead of, or beside, what batches write: no trigger sees that',
    format('drop rule %I on %s; or alter table %s disable rule %I;', r.rulename, w.relation, w.relation, r.rulename)
  from writes w join pg_catalog.pg_rewrite r on r.ev_class = w.oid and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
  union all
  select w.relation, 'replica', 'session_replication_role', 'is replica: no trigger fires', 'set session_replication_role = origin;'
  from writes w where current_setting('session_replication_role') = 'replica'
  union all
  select l.relation, 'lost_keys', l.relation, format('the app has changed keys of it in a way that the journal could not follow (%s)',
      case when bool_or(l.entity is null) then 'of any entity' else format('%s, such as %s', count(*), min(l.entity)) end),
    'Rows that a rollback does not find are conflicts then. Look what keys_lost in the log says.'
  from imago.lost_row l where l.plan = capture_problems.plan
  group by l.relation
$$;
comment on function imago.capture_problems(text) is 'Why rows that a plan writes would miss the journal. Triggers are missing or off, by what they call and their state; rules; the session''s role for replication; keys that got lost.';

-- imago.capture_update
create or replace function imago.capture_update(write imago.plan_write)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  body text := imago.refuse_new_keys(write);
  variables constant text[] := array['imago_batch', 'imago_kind'];
begin
  if imago.side_columns(write) = '{}' then
    body := body || coalesce(imago.capture_columns(write, null), '');
  else
    body := body || format('if imago_kind = ''n'' or imago.has_app_trigger(tg_relid) then %s else %s end if;',
      imago.capture_columns(write, imago.side_changed(write)),
      coalesce(imago.capture_columns(write, null), 'null;'));
  end if;
  if write.inserts then
    -- A later write of ours, or of a trigger within our batch, is not somebody's edit: the fingerprint moves along. That of a row
    -- which somebody edited before stays and says so.
    body := body || imago.trigger_query(
      'update imago_undo.%3$I j set print = %4$s from old_rows o join new_rows n on %8$s
       where j.entity = %5$s and j.op = ''i'' and %6$s and (j.batch = %1$s or %9$s is not distinct from %7$s)', variables, '',
      write.undo_table, imago.fingerprint('n', write.inserted_columns), imago.owner_sql(write, 'n'),
      imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
      imago.fingerprint('o', write.inserted_columns),
      imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
      imago.journaled_print(write, 'j'));
  end if;
  return format('%s if current_setting(''imago.dry'', true) = ''on'' then %s end if;', body, imago.undeclared_probe(write));
end
$$;
comment on function imago.capture_update(imago.plan_write) is 'PL/pgSQL of a capture function: journals the declared columns of the rows that a statement has updated. The fingerprints of inserted rows move along. Where triggers of the app may have changed other columns, these are journaled, too.';

-- imago.changed_values
create or replace function imago.changed_values(moves jsonb, place integer, out was text[], out becomes text[])
language sql
immutable
set search_path = ''
as $$
  select coalesce(array_agg(c.was), '{}'), coalesce(array_agg(c.becomes), '{}')
  from (
    select distinct m -> 0 ->> (place - 1) as was, m -> 1 ->> (place - 1) as becomes
    from jsonb_array_elements(moves) m
  ) c
  where c.was <> c.becomes
$$;
comment on function imago.changed_values(jsonb, integer, out text[], out text[]) is 'Of rows whose identity has changed: the values of one column that did, before and after.';

-- imago.check_app_triggers
create or replace function imago.check_app_triggers(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with triggers as (
    select t.tgrelid::pg_catalog.regclass::text as relation, t.tgname,
      concat_ws(' or ', case when t.tgtype & 4 > 0 then 'insert' end, case when t.tgtype & 16 > 0 then 'update' end) as events,
      case when t.tgtype & 1 > 0 then 'each row' else 'each statement' end as level,
      t.tgfoid::pg_catalog.regproc::text as routine,
      exists (select from imago.guard_triggers(plan) g where g.object = format('trigger %I on %s', t.tgname, t.tgrelid::pg_catalog.regclass)) as guards,
      -- A trigger before the write that only sets columns of its own row does nothing else; updated_at is kept as it was.
      t.tgtype & 3 = 3 and p.prolang in (select l.oid from pg_catalog.pg_language l where l.lanname = 'plpgsql')
        and p.prosrc !~* '\m(insert|update|delete|merge|perform|execute|select|call|notify|raise)\M' as own_row_only
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid in (select w from imago.plan_relations(plan) r cross join lateral imago.written_tables(r::text) w)
      and t.tgparentid = 0 and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 20 > 0 and not imago.is_ours(t.tgfoid)
  )
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', format('trigger %I on %s', tgname, relation),
      'message', format('calls %s for %s on %s', routine, level, events),
      'hint', case when guards then 'It raises exceptions: a dry run shows whom it refuses. ' else '' end
        || 'Side effects stay after a rollback; see side_effects of a dry run.') order by relation, tgname) filter (where not own_row_only), '[]'),
    'facts', jsonb_build_object('triggers', count(*), 'own_row_only', count(*) filter (where own_row_only),
      'moved_columns', coalesce((select jsonb_agg(distinct m.object order by m.object) from imago.moved_columns(plan) m), '[]')))
  from triggers
$$;
comment on function imago.check_app_triggers(imago.plan) is 'Check: triggers of the app that fire on inserts or updates, but for those that only set columns of their own row.';

-- imago.check_connections
create or replace function imago.check_connections(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', case when n.usable - n.used >= n.fewest then '[]' else jsonb_build_array(jsonb_build_object(
      'object', 'connections', 'message', format('%s of %s are in use', n.used, n.usable),
      'hint', 'Close idle ones, use the connection pooler, or run with --workers 1.')) end,
    'facts', jsonb_build_object('used', n.used, 'free', greatest(0, n.usable - n.used), 'max_connections', current_setting('max_connections')::integer))
  from (
    select (select sum(d.numbackends) from pg_catalog.pg_stat_database d)::integer as used,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as usable,
      (select s.slow from imago.signal s where s.name = 'connections') as fewest
  ) n
$$;
comment on function imago.check_connections(imago.plan) is 'Check: fewer connections than the signal connections allows are free for anyone but superusers.';

-- imago.check_end_of_run
create or replace function imago.check_end_of_run(
  run imago.run,
  plan imago.plan,
  checks imago.validation,
  since timestamptz,
  deadline timestamptz
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer jsonb;
  -- With writers that never cease, and no sync, there is always something new.
  most constant integer := 3;
begin
  if checks.state = 'done' then
    answer := imago.failing_checks(checks.id);
    if answer = '[]'
       or not exists (select from imago.batch b where b.run = check_end_of_run.run.id and b.moved > 0 and b.created_at >= checks.created_at)
       or most <= (select count(*) from imago.validation v where v.run = check_end_of_run.run.id and v.created_at >= since) then
      return answer;
    end if;
  end if;
  answer := imago.run_error_checks(plan, run.id, deadline, since, checks.id is not null);
  -- Nothing was found right after the proof: that is the end. Else whatever came meanwhile is to be moved first.
  return case when not (answer ->> 'has_more')::boolean and answer -> 'failing' = '[]'
    and (imago.latest_end_validation(run, since)).created_at >= statement_timestamp() then '[]'::jsonb end;
end
$$;
comment on function imago.check_end_of_run(imago.run, imago.plan, imago.validation, timestamptz, timestamptz) is 'What the checks at the end of a run have found, or null: call again, having proved once more that nothing is left. What was found before something was moved is counted again.';

-- imago.check_limitations
create or replace function imago.check_limitations(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'warning' and coalesce(p.kind, '') not in ('no_index', 'guard_trigger')
$$;
comment on function imago.check_limitations(imago.plan) is 'Check: what else the preflight warns of.';

-- imago.check_missing_indexes
create or replace function imago.check_missing_indexes(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'warning' and p.kind = 'no_index'
$$;
comment on function imago.check_missing_indexes(imago.plan) is 'Check: the indexes that the preflight misses, each with the statement to run.';

-- imago.check_requirements
create or replace function imago.check_requirements(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(to_jsonb(p) - '{severity,kind}'::text[]), '[]'))
  from imago.preflight(plan) p where p.severity = 'error'
$$;
comment on function imago.check_requirements(imago.plan) is 'Check: the errors of the preflight.';

-- imago.check_rights
create or replace function imago.check_rights(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', format('schema %I', s.name), 'message', format('role %s may not %s there', current_user, r.name),
    'hint', imago.schema_remedy(n.oid, r.name)) order by s.name, r.name), '[]'))
  from (
    select plan.source_schema as name
    union
    select n.nspname from imago.plan_relations(plan) t
    join pg_catalog.pg_class c on c.oid = t
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  ) s
  join pg_catalog.pg_namespace n on n.nspname = s.name
  cross join unnest(array['create', 'usage']) r(name)
  where not pg_catalog.has_schema_privilege(n.oid, r.name)
$$;
comment on function imago.check_rights(imago.plan) is 'Check: rights on the schemas of the plan''s tables. Who does not own a table cannot prepare it either; the preflight names that.';

-- imago.check_row_security
create or replace function imago.check_row_security(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', h::text, 'message', format('row level security applies to %s, who does not bypass it', current_user),
    'hint', case when pg_catalog.pg_has_role(c.relowner, 'usage') then format('alter table %s no force row level security;', h)
      else imago.owner_remedy(c.relowner) end) order by h::text), '[]'))
  from imago.hidden_relations(plan) h
  join pg_catalog.pg_class c on c.oid = h
$$;
comment on function imago.check_row_security(imago.plan) is 'Check: tables whose row level security hides rows from the role that Imago runs as.';

-- imago.check_sample
create or replace function imago.check_sample(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  sample jsonb;
  failed_sqlstate text;
  moved bigint;
begin
  begin
    sample := imago.dry_run(plan.name, 'sample', null, 1000);
  exception
    -- What is missing, the check requirements has named.
    when sqlstate 'IM006' then
      return '{"findings": []}';
    when others or assert_failure then
      failed_sqlstate := sqlstate;
      return jsonb_build_object('findings', jsonb_build_array(jsonb_build_object(
        'object', 'dry run', 'message', format('could not be measured: SQLSTATE %s', failed_sqlstate),
        'hint', coalesce((select e.cause from imago.error e where e.code = failed_sqlstate), 'Call dry_run_migration to see why.'))));
  end;
  moved := (sample ->> 'migrated')::bigint;
  return jsonb_build_object(
    'findings', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'object', coalesce(f ->> 'table', plan.source),
        'message', concat_ws(' ', 'a row of the sample would be set aside: SQLSTATE', imago.sqlstate_text(f ->> 'sqlstate', f ->> 'raised_by'), f ->> 'constraint'),
        'hint', format('Look at the row with key %s.', f ->> 'entity'))), '[]')
      from jsonb_array_elements(sample -> 'failures') f
      -- Those that others hold, or who need what an earlier stage moves, say nothing against the plan.
      where f ->> 'kind' <> 'deferred' and f -> 'unsure' is null)
      || case when sample #>> '{error,code}' is null then '[]' else jsonb_build_array(jsonb_build_object(
        'object', 'dry run', 'message', sample #>> '{error,message}', 'hint', sample #>> '{error,hint}')) end,
    'facts', jsonb_build_object(
      'sampled', moved, 'entities', sample #> '{estimate,total}', 'seconds', sample #> '{estimate,seconds}',
      'unknown_stages', sample #> '{estimate,unknown_stages}',
      'rows', (select sum(r.value::numeric) from jsonb_each_text(sample #> '{estimate,rows}') r),
      'wal_bytes', case when sample #> '{estimate,unknown_stages}' = '[]' and moved > 0
        then round((sample ->> 'wal_bytes')::numeric * (sample #>> '{estimate,total}')::numeric / moved) end,
      'locks_held_ms', sample -> 'locks_held_ms'));
end
$$;
comment on function imago.check_sample(imago.plan) is 'Check: moves a sample for at most a second and takes it back. Facts estimate entities, rows, WAL and seconds of the whole, for one worker; unknown_stages: too little was tried of these.';

-- imago.check_sequences
create or replace function imago.check_sequences(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', imago.sequence_findings(plan), 'facts', '{}'::jsonb)
$$;
comment on function imago.check_sequences(imago.plan) is 'Check: sequences that lag behind the values which the plan has copied.';

-- imago.check_sql
create or replace function imago.check_sql(plan_check imago.plan_check)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  result text := plan_check.query;
begin
  if pg_catalog.to_regclass(plan_check.source) is null then
    return null;
  end if;
  if result is null then
    execute format('select %I.check_query($1)', plan_check.plan) into result using plan_check.name;
  end if;
  return result;
end
$$;
comment on function imago.check_sql(imago.plan_check) is 'SQL listing key and entity of what a check finds; null where this app has no such tables or columns.';

-- imago.check_transactions
create or replace function imago.check_transactions(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with open as (
    select format('session %s', a.pid) as object, coalesce(a.state, 'active') as state, a.xact_start as since,
      case when r.rolsuper then 'It is a superuser''s, and only one of them may end it. Let it end; on Supabase a restart of the database ends it (dashboard, Project Settings, General).'
        when not pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'usage') and not pg_catalog.pg_has_role(r.oid, 'usage')
          then format('Let it end, or have a member of %I or of pg_signal_backend end it: select pg_terminate_backend(%s);', r.rolname, a.pid)
        else format('select pg_terminate_backend(%s);', a.pid) end as hint
    from pg_catalog.pg_stat_activity a left join pg_catalog.pg_roles r on r.oid = a.usesysid
    where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'
    union all
    select format('prepared transaction %s', x.transaction), 'prepared', x.prepared, 'Commit it or roll it back: see pg_prepared_xacts.'
    from pg_catalog.pg_prepared_xacts x where x.database = pg_catalog.current_database()
  )
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', o.object, 'message', format('%s, its transaction open for %s min', o.state, floor(extract(epoch from clock_timestamp() - o.since) / 60)),
      'hint', o.hint) order by o.since) filter (where o.since < clock_timestamp() - imago.setting_number('long_transaction_ms') * interval '1 ms'), '[]'),
    'facts', jsonb_build_object('longest_seconds', coalesce(floor(max(extract(epoch from clock_timestamp() - o.since))), 0)))
  from open o
$$;
comment on function imago.check_transactions(imago.plan) is 'Check: transactions in this database that have been open for longer than long_transaction_ms.';

-- imago.check_undo_journal
create or replace function imago.check_undo_journal(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', coalesce((
      select jsonb_agg(distinct jsonb_build_object('object', p.object, 'message', p.message, 'hint', p.hint)) from (
        select c.object, c.message, c.hint from imago.capture_problems(plan.name) c
        union all
        select l.relation || coalesce('.' || quote_ident(l.name), ''), l.reason,
          format('Put it back; or: select give_up_column(%s);', concat_ws(', ', quote_literal(plan.name), quote_literal(l.relation), quote_literal(l.name)))
        from imago.lost_columns(plan.name) l) p
      -- Once there is no way back, the app may drop what it likes.
      where plan.closed_at is null), '[]'),
    'facts', jsonb_build_object('undo_tables', (
      select count(*) from imago.plan_write w where w.plan = plan.name and w.captured_at is not null)))
$$;
comment on function imago.check_undo_journal(imago.plan) is 'Check: undo tables and capture triggers that are missing or do not fire.';

-- imago.check_unprotected_tables
create or replace function imago.check_unprotected_tables(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', coalesce(jsonb_agg(jsonb_build_object(
    'object', t::text, 'message', 'has no row level security, and API roles have rights on it',
    'hint', format('alter table %s enable row level security; and write policies first.', t)) order by t::text), '[]'))
  from imago.plan_relations(plan) t
  join pg_catalog.pg_class c on c.oid = t
  where not c.relrowsecurity
    and exists (
      select from pg_catalog.pg_roles r
      where r.rolname in ('anon', 'authenticated')
        and pg_catalog.has_table_privilege(r.oid, c.oid, 'select, insert, update, delete'))
$$;
comment on function imago.check_unprotected_tables(imago.plan) is 'Check: tables without row level security that anon or authenticated have rights on.';

-- imago.check_unreachable
create or replace function imago.check_unreachable(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('findings', imago.find_unreached(plan), 'facts', '{}'::jsonb)
$$;
comment on function imago.check_unreachable(imago.plan) is 'Check: what the view pending lists and the walked table does not have.';

-- imago.checked_lately
create or replace function imago.checked_lately(plan imago.plan)
returns boolean
language sql
volatile
set search_path = ''
as $$
  -- A few minutes: whoever finalizes in one go need not check twice, whoever comes back next week must.
  select coalesce(plan.checked_at > clock_timestamp() - interval '5 minutes', false)
    and not exists (
      select from imago.plan_step s where s.plan = plan.name and s.phase = 'finalize' and s.done_at > plan.checked_at)
$$;
comment on function imago.checked_lately(imago.plan) is 'Whether the checks were gone through lately, and no step has been done since.';

-- imago.claim_lane
create or replace function imago.claim_lane(run_id bigint)
returns imago.lane
language plpgsql
volatile
set search_path = ''
as $$
declare
  next record;
  lane imago.lane;
begin
  select l.stage, l.pass into next
  from imago.lane l
  join imago.run r on r.id = l.run
  where l.run = run_id and not l.done
  order by case r.direction when 'forward' then l.stage else -l.stage end, l.pass desc
  limit 1;
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.stage = next.stage and l.pass = next.pass and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  return lane;
end
$$;
comment on function imago.claim_lane(bigint) is 'The least advanced free lane of the stage and pass that are on, its row lock being the lease. Late lanes only when every main lane of their stage is done. Null when others hold all that is left.';

-- imago.claim_validation
create or replace function imago.claim_validation(
  plan imago.plan,
  fixes boolean,
  dry_run boolean,
  since timestamptz,
  run_id bigint,
  out validation imago.validation
)
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
#variable_conflict use_column
declare
  current_phase text := case when run_id is null then imago.validation_phase(plan) else 'after' end;
  run imago.run := imago.last_run(plan.name);
begin
  if fixes and current_phase = 'during' then
    perform imago.raise_error('IM027', plan.name, run.direction, run.state);
  end if;
  select v.* into validation from imago.validation v
  where v.plan = plan.name and v.fixes = claim_validation.fixes and v.dry_run = claim_validation.dry_run
    and v.run is not distinct from run_id and v.state <> 'done'
  for update skip locked;
  if validation.id is not null and validation.phase = current_phase and imago.is_resumable(validation)
     and (since is null or validation.created_at >= since) then
    return;
  end if;
  if validation.id is not null then
    delete from imago.validation v where v.id = validation.id;
    validation := null;
  end if;

  begin
    perform set_config('lock_timeout', '200', true);
    insert into imago.validation as v (plan, phase, fixes, dry_run, run)
    values (plan.name, current_phase, fixes, dry_run, run_id)
    on conflict do nothing
    returning v.* into validation;
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  exception when lock_not_available or deadlock_detected then
    return;
  end;
  if validation.id is null then
    return;
  end if;
  delete from imago.validation v where v.plan = plan.name and v.id in (
    select o.id from imago.validation o where o.plan = plan.name and o.state = 'done' order by o.id desc offset 20);
  insert into imago.validation_check (validation, plan_check, position, applicable, done, total)
  select validation.id, c.plan_check, c.place, c.applicable, c.done, c.total from imago.new_checks(plan, current_phase, run_id) c;
end
$$;
comment on function imago.claim_validation(imago.plan, boolean, boolean, timestamptz, bigint, out imago.validation) is 'The unfinished validation with these options, held alone, or a new one; null while another caller holds it. One of another phase, or that nobody has worked on for an hour, is given up. run_id: the end of this run asks, or finalize after it, for the checks that must not fail.';

-- imago.cleanup
create or replace function imago.cleanup(plan_name text, older_than interval, dry_run boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  step imago.plan_step;
  name text;
  since timestamptz;
  freed jsonb := '{}';
  outcome jsonb;
begin
  if older_than is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'older_than' end);
  end if;
  if older_than < interval '0' then
    perform imago.raise_error('IM015', 'older_than', older_than::text, 'zero or more');
  end if;
  if dry_run then
    return imago.cleanup_preview(plan, imago.expect_cleanable(plan, older_than));
  end if;
  perform imago.expect_session();
  perform imago.expect_visible(plan_name);
  -- Dropping the journal gives space back, which is what a read-only database needs.
  if imago.read_only_reason(moving => false) is not null then
    return imago.cleanup_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'finalize')) then
    return imago.cleanup_answer(plan_name, null, 'busy');
  end if;
  perform imago.expect_cleanable(plan, older_than);
  if not imago.lock_plan(plan_name, true) then
    return imago.cleanup_answer(plan_name, null, 'busy');
  end if;
  plan := imago.find_plan(plan_name);
  since := imago.expect_cleanable(plan, older_than);

  step := imago.next_step(plan_name, 'cleanup');
  if step.plan is not null then
    name := step.name;
    outcome := imago.attempt_step(plan, step, false, false);
    if outcome is null then
      return imago.cleanup_answer(plan_name, name, 'busy');
    end if;
  elsif exists (select from imago.plan_write w where w.plan = plan_name and w.undo_table is not null) then
    name := 'journal';
    freed := imago.attempt_drop(plan);
    if freed is null then
      return imago.cleanup_answer(plan_name, name, 'busy');
    end if;
  else
    name := 'old rows of the log';
    freed := imago.drop_old_rows(plan_name, since);
    if freed ->> 'log_rows' = '0' and freed ->> 'batch_rows' = '0' then
      update imago.plan p set cleaned_at = clock_timestamp() where p.name = plan_name and p.cleaned_at is null;
      return imago.cleanup_answer(plan_name, null, 'cleaned up');
    end if;
  end if;
  perform imago.write_log(plan_name, null, 'info', 'cleanup', jsonb_build_object('step', name) || freed
    || case when outcome -> 'warnings' <> '[]' then jsonb_build_object('warnings', outcome -> 'warnings') else '{}' end);
  return imago.cleanup_answer(plan_name, name, 'cleaning up', freed, coalesce(outcome -> 'warnings', '[]'));
end
$$;
comment on function imago.cleanup(text, interval, boolean) is 'One call''s worth of clean-up: the plan''s next step, then the journal, then what the log holds of the migration. Refuses arguments that make no sense (IM004, IM015).';

-- imago.cleanup_answer
create or replace function imago.cleanup_answer(plan_name text, step text, state text, freed jsonb default '{}', warnings jsonb default '[]')
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'state', state, 'step', step, 'has_more', state <> 'cleaned up',
    'retry_after_ms', case state when 'busy' then 300 else 0 end, 'warnings', warnings,
    'undo_tables', 0, 'log_rows', 0, 'batch_rows', 0, 'bytes_freed', 0) || freed
$$;
comment on function imago.cleanup_answer(text, text, text, jsonb, jsonb) is 'The JSON that cleanup_migration returns.';

-- imago.cleanup_preview
create or replace function imago.cleanup_preview(plan imago.plan, before timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with undo as (
    select count(*) as tables, coalesce(sum(u.bytes), 0) as bytes from imago.undo_bytes(plan.name) u
  ), lines as (
    select count(*) as rows, coalesce(sum(pg_catalog.pg_column_size(l.*)), 0) as bytes
    from imago.log l where l.plan = plan.name and l.created_at < before
  ), batches as (
    select count(*) as rows, coalesce(sum(pg_catalog.pg_column_size(b.*)), 0) as bytes
    from imago.batch b join imago.run r on r.id = b.run where r.plan = plan.name and b.created_at < before
  )
  select imago.cleanup_answer(plan.name, null, case when plan.cleaned_at is null then 'not started' else 'cleaned up' end, jsonb_build_object(
      'undo_tables', u.tables, 'log_rows', l.rows, 'batch_rows', b.rows, 'bytes_freed', u.bytes + l.bytes + b.bytes))
    || jsonb_build_object('dry_run', true, 'list', (
      select coalesce(jsonb_agg(s.name order by s.position), '[]') from imago.plan_step s
      where s.plan = plan.name and s.phase = 'cleanup' and s.done_at is null
        and coalesce(s.only_after = case when plan.finalized_at is not null then 'finalize' else 'rollback' end, true)))
  from undo u, lines l, batches b
$$;
comment on function imago.cleanup_preview(imago.plan, timestamptz) is 'What clean-up would drop and how much space that would free. Changes nothing.';

-- imago.clear_set_aside
create or replace function imago.clear_set_aside(run imago.run, keys text[], stage integer)
returns void
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  delete from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.stage = clear_set_aside.stage and f.entity = any (keys)
    and f.kind in ('failed', 'deferred', 'too_large', 'unreachable')
    and exists (select from imago.failure any_failure where any_failure.plan = run.plan);
end
$$;
comment on function imago.clear_set_aside(imago.run, text[], integer) is 'Forgets failures of entities that have been moved since.';

-- imago.close_lanes
create or replace function imago.close_lanes(run_id bigint, stage integer default null)
returns void
language sql
volatile
set search_path = ''
as $$
  with free as (
    select l.run, l.stage, l.pass, l.number from imago.lane l
    where l.run = run_id and not l.done and (close_lanes.stage is null or l.stage = close_lanes.stage)
    for update skip locked
  )
  update imago.lane l set done = true, updated_at = clock_timestamp()
  from free f
  where l.run = f.run and l.stage = f.stage and l.pass = f.pass and l.number = f.number
$$;
comment on function imago.close_lanes(bigint, integer) is 'Closes lanes of a run, or of one stage of it, that need not be walked any more. Lanes that somebody holds are theirs to close.';

-- imago.close_needless_late_lanes
create or replace function imago.close_needless_late_lanes(run imago.run, plan imago.plan, lane imago.lane)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if lane.pass is distinct from 'late' or lane.cursor_key is not null or lane.moved_before is not null or run.late_only
     or exists (select from imago.failure f where f.plan = plan.name)
     or imago.setting_number('proof_mb') * 1024 * 1024::bigint < imago.plan_bytes(plan) then
    return false;
  end if;
  perform imago.close_lanes(run.id, plan.stage);
  return true;
end
$$;
comment on function imago.close_needless_late_lanes(imago.run, imago.plan, imago.lane) is 'Closes late lanes of a stage that nobody has to walk. Nothing is set aside, and the tables are small enough for one query to find what is left.';

-- imago.close_table
create or replace function imago.close_table(relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  role text;
begin
  -- Default privileges may have opened it, to any role.
  for role in
    select distinct case when a.grantee = 0 then 'public' else a.grantee::pg_catalog.regrole::text end
    from pg_catalog.pg_class c
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = close_table.relation::pg_catalog.regclass and a.grantee <> c.relowner
  loop
    execute format('revoke all on table %s from %s', relation, role);
  end loop;
end
$$;
comment on function imago.close_table(text) is 'For plans: takes a table or view that a step has just made from everybody but its owner. Default privileges may have opened it. Of a plan''s own schema this is done after each step.

Example: select imago.close_table(''public.avatars'')';

-- imago.closes_way_back
create or replace function imago.closes_way_back(step imago.plan_step)
returns boolean
language sql
immutable
set search_path = ''
as $$
  -- After the last step only our triggers are left to be removed.
  select step.plan is null or not (step.direct or step.reversible)
$$;
comment on function imago.closes_way_back(imago.plan_step) is 'Whether a finalize step closes the way back; also where no step is left.';

-- imago.column_problems
create or replace function imago.column_problems(relation text, name text, types text[])
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', case when a.attname is null then 'missing_column' else 'wrong_type' end, format('%s.%I', relation, name),
    case when a.attname is null then 'column is missing' else format('has type %s', pg_catalog.format_type(a.atttypid, null)) end,
    format('The plan needs it as %s.', array_to_string(types, ' or '))
  from (select pg_catalog.to_regclass(relation) as oid) r
  left join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attname = name and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_type t on t.oid = a.atttypid
  -- The journal keeps enums as text, and yet they are none: a text does not fit into one.
  where r.oid is not null
    and (a.attname is null or t.typcategory = 'E' or imago.journal_type(a.atttypid, -1) <> all (types))
$$;
comment on function imago.column_problems(text, text, text[]) is 'For plans: what is wrong with a column that a plan needs: missing, or of another type. Each is a row for preflight().

Example: select * from imago.column_problems(''public.users'', ''id'', ''{uuid}'')';

-- imago.column_sequences
create or replace function imago.column_sequences(relation text)
returns table (column_name text, sequence oid)
language sql
stable
set search_path = ''
as $$
  -- Of identity and serial columns (owned), and of defaults that draw from a sequence of their own making.
  select distinct a.attname::text, s.oid
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i')
    or d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
       and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  join pg_catalog.pg_class s on s.relkind = 'S' and s.oid = case when d.objid = f.oid then d.refobjid else d.objid end
  join pg_catalog.pg_type t on t.oid = a.atttypid and t.typcategory = 'N'
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
    and (a.attidentity <> '' or f.oid is not null)
$$;
comment on function imago.column_sequences(text) is 'Numeric columns of a table whose values come from a sequence: serial, identity, or a default that draws from one.';

-- imago.compact_batch
create or replace function imago.compact_batch(batch bigint, plan imago.plan, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  entities text[];
  key_type text;
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and coalesce(nullif(current_setting('imago.fired_' || w.id, true), ''), '0')::integer > 1
  loop
    -- Triggers of the app may have written rows of entities that are not of this batch; rows of another stage all are.
    execute format(
      'select $2 || coalesce(array_agg(distinct n.entity::text), ''{}'') from imago_undo.%I n where n.batch = $1%s',
      write.undo_table, case when write.stage = plan.stage then ' and n.op = ''n''' else '' end)
    into entities using batch, case when write.stage = plan.stage then keys else '{}' end;
    key_type := (imago.plan_at_stage(plan, write.stage)).key_type;

    if write.inserts then
      perform imago.compact_inserted(write, key_type, batch, entities);
    end if;
    perform imago.compact_updated(write, key_type, batch, entities);
  end loop;
end
$$;
comment on function imago.compact_batch(bigint, imago.plan, text[]) is 'Brings the journal of a batch to one row for each row written. Only relations captured more than once need it.';

-- imago.compact_inserted
create or replace function imago.compact_inserted(write imago.plan_write, key_type text, batch bigint, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  key_join text := imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
  same_key text := imago.each_column('i.key_%1$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
begin
  execute format(
    'update imago_undo.%1$I j set print = %2$s from %3$s t
     where %4$s and j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%5$s[]) and j.print is distinct from %2$s',
    write.undo_table, imago.fingerprint('t', write.inserted_columns), write.relation, key_join, key_type)
  using batch, entities;
  execute format(
    'delete from imago_undo.%1$I j where j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%2$s[])
       and not exists (select from %3$s t where %4$s)',
    write.undo_table, key_type, write.relation, key_join)
  using batch, entities;
  execute format(
    'delete from imago_undo.%1$I j using imago_undo.%1$I i
     where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[])
       and i.batch = $1 and i.op = ''i'' and i.entity = j.entity and %3$s',
    write.undo_table, key_type, same_key)
  using batch, entities;
end
$$;
comment on function imago.compact_inserted(imago.plan_write, text, bigint, text[]) is 'Brings the journal of a batch up to date for rows that it inserted. Fingerprints are of the rows as they are now, rows that are gone are forgotten, and what was updated after it was inserted counts as inserted only.';

-- imago.compact_sides
create or replace function imago.compact_sides(write imago.plan_write)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  same_key text := imago.each_column('b.key_%1$s = c.key_%1$s', write.relation, write.key_columns, ' and ');
begin
  return format(
    ', side_images as (
       select entity, %1$s, s.key as name, s.value ->> 0 as image, 1 as weight from taken cross join lateral jsonb_each(taken.side) s
       union all
       select entity, %1$s, s.key, s.value ->> 1, -1 from taken cross join lateral jsonb_each(taken.side) s
     ), side_firsts as (
       select entity, %1$s, name, image from side_images group by entity, %1$s, name, image having sum(weight) > 0
     ), beside as (
       select j.entity, %2$s, jsonb_object_agg(j.name, jsonb_build_array(j.image, v.image)) as side
       from side_firsts j
       join %3$s t on %4$s
       cross join lateral (values %5$s) v(name, image)
       where v.name = j.name
       group by j.entity, %2$s
     ), changed_or_beside as (
       select c.*, b.side from changed c left join beside b on b.entity = c.entity and %6$s
       union all
       select b.entity, %7$s%8$s, 0, b.side from beside b
       where not exists (select from changed c where b.entity = c.entity and %6$s)
     )',
    keys, imago.each_column('j.key_%1$s', write.relation, write.key_columns), write.relation,
    imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and '),
    imago.side_values(write, '(%1$L, t.%1$I::text)'), same_key,
    imago.each_column('b.key_%1$s', write.relation, write.key_columns),
    imago.each_column(', null', write.relation, write.columns, ''));
end
$$;
comment on function imago.compact_sides(imago.plan_write) is 'SQL for compact_updated: undeclared columns of each row, the first image before and the table''s own value after. Rows of which nothing else changed are there, too.';

-- imago.compact_updated
create or replace function imago.compact_updated(write imago.plan_write, key_type text, batch bigint, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  key_join text := imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
  has_sides boolean;
begin
  execute format('select exists (select from imago_undo.%I j where j.batch = $1 and j.entity = any ($2::%s[]) and j.side is not null)',
    write.undo_table, key_type) into has_sides using batch, entities;
  if write.columns = '{}' and not has_sides then
    return;
  end if;
  -- Capture order is not write order. In the chain of values of one row every value but the first and the last is as
  -- often an after as a before, so the first is the one that is once more a before: no order needed.
  execute format(
    'with taken as (
       delete from imago_undo.%1$I j where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[]) returning j.*
     ), images as (
       select entity, %3$s%4$s, 1 as weight from taken
       union all
       select entity, %3$s%5$s, -1 from taken
     ), firsts as (
       select entity, %3$s%6$s, sum(weight) as weight from images group by entity, %3$s%6$s
     ), changed as (
       select * from firsts where weight > 0
     ) %14$s
     insert into imago_undo.%1$I (batch, entity, op, %3$s%7$s%8$s, side)
     select $1, j.entity, ''u'', %9$s%10$s%11$s, %15$s
     from %16$s j join %12$s t on %13$s',
    write.undo_table, key_type, keys,
    imago.each_column(', before_%1$s::text collate "C" as image_%1$s', write.relation, write.columns, ''),
    imago.each_column(', after_%1$s::text collate "C"', write.relation, write.columns, ''),
    imago.each_column(', image_%1$s', write.relation, write.columns, ''),
    imago.each_column(', before_%1$s', write.relation, write.columns, ''),
    imago.each_column(', after_%1$s', write.relation, write.columns, ''),
    imago.each_column('j.key_%1$s', write.relation, write.key_columns),
    -- A row whose declared columns are what they were is there for what changed beside them.
    imago.each_column(case when has_sides then ', case when j.weight > 0 then j.image_%1$s::%4$s else t.%2$I::%4$s end' else ', j.image_%1$s::%4$s' end,
                      write.relation, write.columns, ''),
    imago.each_column(', t.%2$I::%4$s', write.relation, write.columns, ''),
    write.relation, key_join,
    case when has_sides then imago.compact_sides(write) else '' end,
    case when has_sides then 'j.side' else 'null' end,
    case when has_sides then 'changed_or_beside' else 'changed' end)
  using batch, entities;
end
$$;
comment on function imago.compact_updated(imago.plan_write, text, bigint, text[]) is 'Brings the journal of a batch to one row for each row that it updated: first image before, the table''s own value after.';

-- imago.concerned_rows
create or replace function imago.concerned_rows(plan imago.plan)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    case when pg_catalog.to_regclass(imago.plan_object(plan, 'concerned')) is not null then imago.plan_object(plan, 'concerned') end,
    case when pg_catalog.to_regclass(plan.source) is not null then plan.source end)
$$;
comment on function imago.concerned_rows(imago.plan) is 'The relation that lists whom a stage of a plan concerns. Its view concerned where it has one, else the table that it walks; null when that has gone.';

-- imago.conclude_run
create or replace function imago.conclude_run(run imago.run)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  unmoved bigint := (select a.unmoved from imago.count_set_aside(run.plan, run.direction) a);
begin
  if unmoved > 0 then
    return imago.transition_run(run.id, 'fail', imago.counted(imago.find_plan(run.plan), unmoved) || ' set aside', 'set_aside');
  end if;
  return imago.transition_run(run.id, 'succeed');
end
$$;
comment on function imago.conclude_run(imago.run) is 'Gives a run that has nothing left to do its last state: succeeded, or failed where entities are set aside.';

-- imago.count_failed
create or replace function imago.count_failed(run_id bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select count(*) from imago.failure f where f.run = run_id and f.kind in ('failed', 'too_large')
$$;
comment on function imago.count_failed(bigint) is 'Entities that count against the error budget of a run.';

-- imago.count_journaled
create or replace function imago.count_journaled(plan imago.plan, keys anyarray, of_inserts boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  amount bigint;
  result jsonb := '{}';
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    continue when of_inserts and not write.inserts;
    execute format('select count(*) from imago_undo.%I j where j.entity = any %s', write.undo_table, imago.keys_sql(plan)) into amount using keys;
    result := result || jsonb_build_object(write.relation, amount);
  end loop;
  return result;
end
$$;
comment on function imago.count_journaled(imago.plan, anyarray, boolean) is 'Rows of the journal of these entities, by relation. of_inserts: only where the plan inserts; those of others are counted as they are read.';

-- imago.count_piece
create or replace function imago.count_piece(
  plan_check imago.plan_check,
  cursor_key text,
  last_key text,
  samples integer,
  whole boolean,
  out amount bigint,
  out keys text[],
  out facts jsonb
)
language plpgsql
stable
set search_path = ''
-- Pieces are small: each is an index range, also where statistics are old; whole tables are better read. The app keeps its other cores.
set enable_seqscan = off
set jit = off
set max_parallel_workers_per_gather = 0
-- Hashes of a million rows fit in.
set work_mem = '64MB'
as $$
declare
  query text := imago.check_sql(plan_check);
  range text := imago.piece_range(plan_check, cursor_key, last_key);
begin
  -- The query may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  perform pg_catalog.set_config('enable_seqscan', case when whole then 'on' else 'off' end, true);
  if plan_check.counts then
    execute format(
      'with piece as materialized (select f.* from (%s) f where %s)
       select (select count(*) from piece where wrong),
         (select jsonb_object_agg(s.name, s.amount) from (
            select v.key as name, sum(v.value::bigint) as amount
            from piece p cross join lateral jsonb_each_text(to_jsonb(p) - ''key'' - ''entity'' - ''wrong'') v group by v.key) s)',
      query, range)
    into amount, facts using cursor_key, last_key;
  else
    execute format('select count(*) from (%s) f where %s', query, range) into amount using cursor_key, last_key;
  end if;
  keys := '{}';
  if amount > 0 and samples > 0 then
    execute format(
      'select coalesce(array_agg(k.key::text order by k.key), ''{}'') from (
         select f.key from (%s) f where %s%s order by f.key limit $3) k',
      query, range, case when plan_check.counts then ' and f.wrong' else '' end)
    into keys using cursor_key, last_key, samples;
  end if;
end
$$;
comment on function imago.count_piece(imago.plan_check, text, text, integer, boolean, out bigint, out text[], out jsonb) is 'What a check finds in one piece of its source: how many, some keys, and the numbers that it sums up. whole: the piece is most of the table.';

-- imago.count_set_aside
create or replace function imago.count_set_aside(
  plan_name text,
  direction text default null,
  stage integer default null,
  out failed bigint,
  out unreachable bigint,
  out held bigint,
  out conflicts bigint,
  out unmoved bigint
)
language sql
stable
set search_path = ''
as $$
  with aside as (
    select f.stage, f.entity, f.kind, coalesce(f.direction = count_set_aside.direction, true) as of_direction
    from imago.failure f
    where f.plan = plan_name and (count_set_aside.stage is null or f.stage = count_set_aside.stage)
  )
  select
    count(distinct (a.stage, a.entity)) filter (where a.kind in ('failed', 'deferred', 'too_large', 'unreachable') and a.of_direction),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'unreachable' and a.of_direction),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'held'),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'conflict'),
    count(distinct (a.stage, a.entity)) filter (where a.kind not in ('held', 'forgotten') and a.of_direction)
  from aside a
$$;
comment on function imago.count_set_aside(text, text, integer, out bigint, out bigint, out bigint, out bigint, out bigint) is 'Counts entities that are set aside, by kind, of all stages or one. failed has those that are deferred, too large or unreachable, too; unreachable is of them. Unmoved are those for which a run of this direction cannot succeed. Of a direction only what failed in it counts.';

-- imago.count_source
create or replace function imago.count_source(staged imago.plan, estimated boolean, out total bigint, out source_rows bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  concerned constant text := imago.concerned_rows(staged);
  noted imago.run_stage;
begin
  total := 0;
  source_rows := imago.estimated_rows(staged.source);
  if concerned is null then
    return;
  elsif not estimated and concerned = staged.source then
    execute format('select count(*) from %s', concerned) into total;
  elsif not estimated then
    total := imago.ask_plan(staged.name, 'view ' || concerned, format('select to_jsonb(count(*)) from (select distinct entity from %s) c', concerned));
  else
    select t.* into noted
    from imago.run_stage t join imago.run r on r.id = t.run
    where r.plan = staged.name and t.stage = staged.stage and t.counted is not null
    order by t.run desc limit 1;
    total := case
      -- Who has walked it all knows better than the planner whom the plan concerns.
      when noted.stated_rows = source_rows then noted.counted
      when noted.run is not null then source_rows * noted.counted / noted.walked
      when concerned = staged.source then source_rows
      -- As a share: the planner takes a table whose rows were written anew for a larger one, and the view along with it.
      else source_rows * least(1, imago.planned_rows(concerned) / greatest(1, imago.planned_rows(staged.source))) end;
  end if;
end
$$;
comment on function imago.count_source(imago.plan, boolean, out bigint, out bigint) is 'Entities that a stage of a plan concerns, counted or estimated, and the rows of its table by statistics.';

-- imago.count_stage
create or replace function imago.count_stage(staged imago.plan)
returns bigint
language plpgsql
stable
set search_path = ''
-- As in remaining_entities: with old statistics and little memory allowed each entity would be asked for. Here as many may be pending as there are.
set work_mem = '128MB'
set jit = off
as $$
declare
  result bigint;
begin
  if pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is not null then
    return imago.ask_pending(staged,
      format('select to_jsonb(count(*)) from (select distinct entity from %s) p', imago.plan_object(staged, 'pending')));
  end if;
  execute format('select count(*) from %s', staged.source) into result;
  return result;
end
$$;
comment on function imago.count_stage(imago.plan) is 'Entities of a stage that are still to be moved, counted; before the plan is prepared, all of them.';

-- imago.counted
create or replace function imago.counted(plan imago.plan, amount bigint)
returns text
language sql
stable
set search_path = ''
as $$
  select format('%s %s', amount, w ->> case amount when 1 then 'entity_singular' else 'entity_plural' end) from imago.plan_words(plan) w
$$;
comment on function imago.counted(imago.plan, bigint) is 'So many entities of a plan, in its words: 1 user, 2 users.';

-- imago.create_capture
create or replace function imago.create_capture(write imago.plan_write, event text, body text, watch text default '')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- What a trigger of the app writes may belong to other entities than the batch's: it is marked n (nested) until settled.
  -- A sync is a trigger itself.
  nested constant text := 'pg_trigger_depth() > 1 + coalesce(nullif(current_setting(''imago.sync_depth'', true), ''''), ''0'')::integer';
  routine text := write.undo_table || '_' || event;
begin
  -- Old and new rows come in the order of the update: hashed they stay in it, sorted for a merge join they would not.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     %s
     set enable_mergejoin = off
     as %L',
    routine, imago.fixed_formats(),
    -- Columns are named with their table, so a bare name is ours, whatever the app calls its columns.
    -- The first question is the whole of it for a statement of the app's. Where this plan has a batch open, rows are counted as seen
    -- even if another plan, nested in it, writes them: the count is compared with the server's. In a rollback only what triggers of
    -- the app update is captured, to be undone (read_nested).
    format(
      '#variable_conflict use_variable
       declare
         imago_batch bigint;
         imago_rows bigint;
         imago_kind "char";
         imago_moved boolean;
         imago_moves jsonb;
         imago_relation text;
         imago_identity imago.identity;
         imago_context text;
       begin
         if current_setting(''imago.batch'', true) <> '''' and current_setting(%3$L, true) <> '''' then
           select count(*) into imago_rows from new_rows;
           imago_kind := case when %1$s then ''n'' else ''u'' end;
           if current_setting(''imago.back'', true) = %5$L then
             if not %6$s or imago_kind <> ''n'' then
               return null;
             end if;
           else
             perform pg_catalog.setval(%4$L, pg_catalog.currval(%4$L) + imago_rows);
           end if;
           if imago.is_batch_open(%5$L, true) then
             imago_batch := split_part(current_setting(''imago.batch''), '':'', 2);
             %2$s
             %8$s
             perform set_config(%3$L, (coalesce(nullif(current_setting(%3$L, true), ''''), ''0'')::integer
               + case when imago_kind = ''n'' then 2 else 1 end)::text, true);
           end if;
         end if;
         %7$s
         return null;
       end',
      nested, body, 'imago.fired_' || write.id, format('imago_undo.%I', write.undo_table || '_seen'), write.plan,
      case event when 'update' then 'true' else 'false' end, watch,
      case event when 'update' then imago.capture_keys(write) else '' end));
  execute format('comment on function imago_undo.%I() is %L', routine,
    format('Trigger function: writes the undo journal of plan %s when a batch of it %ss rows of %s.', write.plan, event, write.relation));
  execute format('revoke all on function imago_undo.%I() from public', routine);
end
$$;
comment on function imago.create_capture(imago.plan_write, text, text, text) is 'Creates the trigger function that captures one declared write, for inserts or updates. For a batch of this plan it captures, counts the rows that it has seen, and how often it fired; for anybody else''s write it does no more than watch says.';

-- imago.create_plan
create or replace function imago.create_plan(
  name text,
  title text,
  source_schema text,
  source_table text,
  key_column text,
  entity_singular text default null,
  entity_plural text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regnamespace(quote_ident(name)) is not null then
    perform imago.raise_error('IM012', format('schema %s', name));
  end if;
  insert into imago.plan (name, title, source_schema, source_table, key_column, entity_singular, entity_plural)
  values (
    create_plan.name, create_plan.title, create_plan.source_schema, create_plan.source_table, create_plan.key_column,
    create_plan.entity_singular, create_plan.entity_plural);
  insert into imago.governor (plan) values (create_plan.name);

  execute format('create schema %I', name);
  execute format('comment on schema %I is %L', name, format('Imago plan %s: %s.', name, title));
  execute format('revoke all on schema %I from public', name);
  -- What a plan may leave out. It replaces them by its own where it has more to say.
  execute format(
    'create function %I.preflight() returns setof imago.problem
     language sql stable set search_path = '''' as $sql$ select null, null, null, null, null where false $sql$', name);
  execute format('comment on function %I.preflight() is %L', name, 'What speaks against starting, besides what holds for every plan: nothing.');
  execute format(
    'create function %I.statistics() returns jsonb language sql stable set search_path = '''' as $sql$ select ''{}''::jsonb $sql$', name);
  execute format('comment on function %I.statistics() is %L', name, 'What get_migration_statistics adds for this plan: nothing.');
end
$$;
comment on function imago.create_plan(text, text, text, text, text, text, text) is 'For plans: registers a plan and makes its schema, with the functions that it may leave out. The first statement of schema.sql. Touches no table of the app.

Example: select imago.create_plan(''initials'', ''Initials for all users'', ''public'', ''users'', ''id'')';

-- imago.cron_intervals
create or replace function imago.cron_intervals()
returns table (every interval, label text, schedule text)
language sql
immutable
set search_path = ''
as $$
  -- Seconds as pg_cron knows them; in cron's own syntax only what divides an hour or a day comes at equal distances.
  select make_interval(secs => n), n || case n when 1 then ' second' else ' seconds' end, n || ' seconds'
  from generate_series(1, 59) n
  union all
  select make_interval(mins => n), n || case n when 1 then ' minute' else ' minutes' end,
    case n when 1 then '* * * * *' else format('*/%s * * * *', n) end
  from unnest(array[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30]) n
  union all
  select make_interval(hours => n), n || case n when 1 then ' hour' else ' hours' end,
    case n when 1 then '0 * * * *' when 24 then '0 0 * * *' else format('0 */%s * * *', n) end
  from unnest(array[1, 2, 3, 4, 6, 8, 12, 24]) n
$$;
comment on function imago.cron_intervals() is 'Every interval that pg_cron can keep, with its name and its schedule.';

-- imago.cron_problem
create or replace function imago.cron_problem()
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'cron' and p.proname = 'schedule' and p.pronargs = 3
  ) then
    return 'IM031';
  elsif not has_schema_privilege('cron', 'usage') or not has_table_privilege('cron.job', 'select') then
    return 'IM032';
  end if;
  return null;
end
$$;
comment on function imago.cron_problem() is 'The code of what keeps this role from using pg_cron, or null.';

-- imago.cut_lanes
create or replace function imago.cut_lanes(run imago.run, plan imago.plan, size integer default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted integer := least(
    imago.setting_number('lanes'),
    greatest(1, imago.estimated_rows(plan.source) / 2000));
  by_block constant boolean := imago.should_walk_by_block(run, plan);
  bounds text[];
begin
  if by_block and not run.late_only then
    -- All blocks that the walked table has now: what comes later, or has moved, is found by the late pass.
    insert into imago.lane (run, stage, pass, number, by_block, lower_key, upper_key, batch_size)
    select run.id, plan.stage, 'main', n, true, format('(%s,0)', (n - 1) * blocks / lanes), format('(%s,0)', n * blocks / lanes), coalesce(size, 100)
    from (
      select pg_catalog.pg_relation_size(format('%I.%I', w.relation_schema, w.relation_name)) / current_setting('block_size')::bigint as blocks
      from imago.walked_rows(run, plan) w
    ) walked
    -- Each batch reads its lane from the cursor on to its end.
    cross join lateral (select greatest(wanted, blocks / 1024) as lanes) cut
    cross join generate_series(1, lanes) n;
  end if;
  execute format(
    'select array_agg(b::text order by b)
     from (
       select distinct on (part) b
       from (
         select b, ntile($4) over (order by b) as part
         from pg_catalog.pg_stats s, unnest(s.histogram_bounds::text::%s[]) b
         where s.schemaname = $1 and s.tablename = $2 and s.attname = $3 and not s.inherited
       ) parts
       where part < $4
       order by part, b desc
     ) cuts',
    coalesce(plan.key_type, 'text'))
  into bounds using plan.source_schema, plan.source_table, plan.key_column, wanted;

  insert into imago.lane (run, stage, pass, number, lower_key, upper_key, batch_size)
  select run.id, plan.stage, pass, n, bounds[n - 1], bounds[n], coalesce(size, case pass when 'main' then 100 else 2000 end)
  from unnest(array['main', 'late']) pass
  cross join generate_series(1, coalesce(cardinality(bounds), 0) + 1) n
  where pass = 'late' or not (run.late_only or by_block);
end
$$;
comment on function imago.cut_lanes(imago.run, imago.plan, integer) is 'Cuts the key space of a stage into lanes by the statistics of the source, open at both ends. Each range once for the main and once for the late pass. The main pass of a large table may go by blocks instead (should_walk_by_block).';

-- imago.decide
create or replace function imago.decide(governor imago.governor, readings imago.reading[])
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  -- Only ending the call frees who waits for it: that is no reason to hold the run.
  worst constant integer := coalesce((select max(r.level) from unnest(readings) r where r.signal <> 'waiters'), 0);
  least_share numeric := (
    select min(s.least_share) from unnest(readings) r join imago.signal s on s.name = r.signal where r.level > 0);
  is_fine constant boolean := worst < 2 and not exists (
    select from imago.reading h join unnest(readings) r on r.signal = h.signal and r.name = h.name
    where h.plan = governor.plan and h.holds and r.slow_looks > 0);
begin
  governor.level := coalesce((select max(r.level) from unnest(readings) r), 0);
  governor.fine_looks := case when is_fine then governor.fine_looks + 1 else 0 end;
  governor.fine_since := case when worst < 2 then coalesce(governor.fine_since, now) end;
  if worst >= 2 then
    if governor.held_since is null then
      governor.backoff_ms := case
        when governor.released_at > now - interval '30 s' then least(600000, 2 * governor.backoff_ms) else imago.setting_number('backoff_ms') end;
      governor.held_until := now + make_interval(secs => governor.backoff_ms / 1000.0);
      governor.held_since := now;
    end if;
    governor.share := 0;
  elsif governor.held_since is not null
        and (now < governor.held_until
             -- Below where it was held, but not fine, it goes on after half a minute: it may stay so for long.
             or not (governor.fine_looks >= 3 or is_fine and governor.fine_since < now - interval '10 s' or governor.fine_since < now - interval '30 s')) then
    governor.share := 0;
  else
    if governor.held_since is not null then
      governor.released_at := now;
    end if;
    governor.held_since := null;
    governor.held_until := null;
    governor.share := case
      when governor.level > 0 then greatest(least_share, governor.share * 0.5)
      else least(1, governor.share + 0.1) end;
  end if;
  return governor;
end
$$;
comment on function imago.decide(imago.governor, imago.reading[]) is 'The share that follows from a look. Half as much while something is slow, none while something holds, a tenth more each time that all is fine.';

-- imago.declared_problems
create or replace function imago.declared_problems(plan imago.plan)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What a step has yet to make cannot be looked for.
  has_steps boolean := exists (select from imago.plan_step s where s.plan = declared_problems.plan.name and s.phase = 'prepare');
begin
  return query
    select p.*
    from (
      select w.relation, w.position from imago.plan_write w where w.plan = declared_problems.plan.name
      union all
      select s.relation, 1000 + s.position from imago.plan_sync s where s.plan = declared_problems.plan.name
    ) d
    cross join lateral imago.relation_problems(d.relation, not has_steps) p
    order by d.position;
  return query
    select 'error', 'missing_column', format('%s.%I', w.relation, c), 'column is missing', 'The plan declares that it writes it.'
    from imago.plan_write w cross join unnest(w.columns || w.entity_column) c
    where w.plan = declared_problems.plan.name and not has_steps and c is not null and pg_catalog.to_regclass(w.relation) is not null
      and not exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = pg_catalog.to_regclass(w.relation) and a.attname = c and a.attnum > 0 and not a.attisdropped);
  return query
    select 'error', 'key_column', format('%s.%I', w.relation, c), 'is part of the primary key, and the plan declares that it sets it',
      'The journal knows rows by their primary key. Have the plan insert new rows instead, or set another column.'
    from imago.plan_write w cross join unnest(w.columns) c
    where w.plan = declared_problems.plan.name
      -- By name, and not to_regclass, which raises where the schema may not be used.
      and exists (
        select from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indisprimary and a.attname = c and imago.name_of(i.indrelid) = w.relation);
end
$$;
comment on function imago.declared_problems(imago.plan) is 'What keeps tables that a plan writes or follows from being migrated, as far as they are there before its steps.';

-- imago.declared_relations
create or replace function imago.declared_relations(plan_name text)
returns setof text
language sql
stable
set search_path = ''
as $$
  select p.source from imago.plan p where p.name = plan_name
  union select t.source from imago.plan_stage t where t.plan = plan_name
  union select w.relation from imago.plan_write w where w.plan = plan_name and w.captured_at is not null
  union select s.relation from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null
$$;
comment on function imago.declared_relations(text) is 'The tables that a prepared plan walks, writes and follows, as it names them.';

-- imago.deleted_rows
create or replace function imago.deleted_rows(plan text)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_object_agg(c.relation, jsonb_build_object('inserted', c.inserted, 'deleted', c.deleted))
  from imago.write_counters(array(
    select w.relation from imago.plan_write w where w.plan = deleted_rows.plan and w.captured_at is not null)) c
$$;
comment on function imago.deleted_rows(text) is 'By declared relation: rows inserted and deleted in this transaction so far, as the server counts them. Take differences.';

-- imago.direct_step
create or replace function imago.direct_step(plan_name text, phase text)
returns table (name text, statement text, relation text, invalid_index text, building boolean)
language sql
stable
set search_path = ''
as $$
  select s.name, s.statement, c.relation::text, (
      -- An interrupted concurrent build leaves it, and "if not exists" would take it for done.
      select i.indexrelid::regclass::text
      from pg_catalog.pg_index i
      join pg_catalog.pg_class x on x.oid = i.indexrelid
      where i.indrelid = c.relation and x.relname = (parse_ident(c.parts[1]))[1] and not i.indisvalid),
    exists (
      select from pg_catalog.pg_stat_progress_create_index p where p.relid = c.relation and p.datname = current_database())
  from imago.next_step(plan_name, phase) s
  cross join lateral (
    select m.parts, coalesce(pg_catalog.to_regclass(m.parts[2]), pg_catalog.to_regclass('public.' || m.parts[2])) as relation
    from regexp_match(s.statement,
      '^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|[\w$]+)\s+on\s+(?:only\s+)?((?:(?:"(?:[^"]|"")+"|[\w$]+)\.)?(?:"(?:[^"]|"")+"|[\w$]+))',
      'i') m(parts)
  ) c
  where s.direct
$$;
comment on function imago.direct_step(text, text) is 'The direct step that a phase has come to, if it is one, with its statement. Of an index that it builds concurrently: the table, the invalid index that an interrupted build has left, and whether somebody is building on that table now.';

-- imago.drive_tick
create or replace function imago.drive_tick(plan_name text, run imago.run, finalize boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer jsonb;
begin
  if finalize then
    answer := imago.finalize(plan_name, false);
  elsif run.direction = 'rollback' then
    answer := imago.roll_back(plan_name, imago.tick_budget(plan_name), run.force, run.id);
  else
    answer := imago.migrate(plan_name, imago.tick_budget(plan_name),
      backup => run.backup, max_failures => run.max_failures, on_failure => run.on_failure, run_id => run.id);
  end if;
  perform imago.unschedule_direct(plan_name);
  return answer;
exception when sqlstate 'IM042' then
  return imago.schedule_direct(plan_name, case when finalize then 'finalize' else 'prepare' end);
end
$$;
comment on function imago.drive_tick(text, imago.run, boolean) is 'What a tick does: one call''s worth of the run, in its direction and with its settings, or of finalize. A direct step that it meets is given a job of its own.';

-- imago.drop_empty_column
create or replace function imago.drop_empty_column(plan_name text, relation text, name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  holds boolean;
begin
  if not imago.is_added(plan_name, relation, name) then
    return null;
  end if;
  -- Under the lock the table must not be read for long: it has to be small, or the column to have an index.
  if imago.is_large(relation) and exists (select from imago.index_warning(relation, name, 'clean-up')) then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s.%I has no index: it stays', relation, name)));
  end if;
  execute format('lock table %s in access exclusive mode', relation);
  execute format('select exists (select from %s where %I is not null)', relation, name) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s.%I holds values: it stays', relation, name)));
  end if;
  perform imago.forget_added(plan_name, relation, name);
  execute format('alter table %s drop column %I', relation, name);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s.%I was empty: dropped', relation, name)));
end
$$;
comment on function imago.drop_empty_column(text, text, text) is 'For plans: a clean-up step that drops a column which the plan added, when it is empty; says what became of it. The plan has noted it as its own (note_added).

Example: select imago.drop_empty_column(''resume_skills'', ''public.users'', ''skills'')';

-- imago.drop_empty_table
create or replace function imago.drop_empty_table(plan_name text, relation text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  holds boolean;
begin
  if not imago.is_added(plan_name, relation) then
    return null;
  end if;
  execute format('lock table %s in access exclusive mode', relation);
  execute format('select exists (select from %s)', relation) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array(format('%s holds rows: it stays', relation)));
  end if;
  perform imago.forget_added(plan_name, relation);
  -- Not cascading: what still refers to it keeps it.
  execute format('drop table %s', relation);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s was empty: dropped', relation)));
exception when dependent_objects_still_exist then
  return jsonb_build_object('warnings', jsonb_build_array(format('%s is referred to: it stays', relation)));
end
$$;
comment on function imago.drop_empty_table(text, text) is 'For plans: a clean-up step that drops a table which the plan added, when it is empty and nothing refers to it. Says what became of it. The plan has noted it as its own (note_added).

Example: select imago.drop_empty_table(''avatars'', ''public.avatars'')';

-- imago.drop_forged_batch
create or replace function imago.drop_forged_batch()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not imago.is_batch_open() then
    perform set_config('imago.batch', '', true);
  end if;
  return null;
end
$$;
comment on function imago.drop_forged_batch() is 'Statement trigger: forgets a forged imago.batch before any other trigger trusts it.';

-- imago.drop_invalid_index
create or replace function imago.drop_invalid_index(plan_name text, phase text)
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  step record;
begin
  select d.* into step from imago.direct_step(plan_name, phase) d;
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  execute format('lock table %s in access exclusive mode', step.relation);
  -- Whoever was building it meanwhile has ended, and may have succeeded.
  select d.* into step from imago.direct_step(plan_name, phase) d;
  if step.invalid_index is not null then
    execute format('drop index %s', step.invalid_index);
    perform imago.write_log(plan_name, null, 'warning', 'direct', jsonb_build_object('step', step.name, 'dropped', step.invalid_index));
  end if;
end
$$;
comment on function imago.drop_invalid_index(text, text) is 'Drops the invalid index that an interrupted build of the next direct step has left, with a short lock timeout.';

-- imago.drop_journaled
create or replace function imago.drop_journaled(write imago.plan_write, place integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  lost text := write.columns[place];
begin
  execute format('alter table imago_undo.%1$I drop column before_%2$s, drop column after_%2$s', write.undo_table, place);
  for later in place + 1 .. cardinality(write.columns) loop
    execute format('alter table imago_undo.%I rename column before_%s to before_%s', write.undo_table, later, later - 1);
    execute format('alter table imago_undo.%I rename column after_%s to after_%s', write.undo_table, later, later - 1);
  end loop;
  update imago.plan_write w set columns = array_remove(w.columns, lost), points_to = w.points_to - lost where w.id = write.id;
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation and d.name = lost;
end
$$;
comment on function imago.drop_journaled(imago.plan_write, integer) is 'Takes a column, by its place among the declared ones, out of a declared write and its journal.';

-- imago.drop_old_rows
create or replace function imago.drop_old_rows(plan_name text, before timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with lines as (
    delete from imago.log l
    where l.id in (select o.id from imago.log o where o.plan = plan_name and o.created_at < before order by o.id limit 20000)
    returning pg_catalog.pg_column_size(l.*) as bytes
  ), batches as (
    delete from imago.batch b
    where b.id in (
      select o.id from imago.batch o join imago.run r on r.id = o.run
      where r.plan = plan_name and o.created_at < before order by o.id limit 20000)
    returning pg_catalog.pg_column_size(b.*) as bytes
  )
  select jsonb_build_object(
    'log_rows', (select count(*) from lines), 'batch_rows', (select count(*) from batches),
    'bytes_freed', (select coalesce(sum(bytes), 0) from (select bytes from lines union all select bytes from batches) both_kinds))
$$;
comment on function imago.drop_old_rows(text, timestamptz) is 'Deletes lines of the log and batches of a plan up to a moment, so many a call; says how many and how much they held.';

-- imago.drop_undo
create or replace function imago.drop_undo(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  suffix text;
  result jsonb;
begin
  select jsonb_build_object('undo_tables', count(*), 'bytes_freed', coalesce(sum(u.bytes), 0)) into result from imago.undo_bytes(plan_name) u;
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
    execute format('drop table if exists imago_undo.%I', write.undo_table);
    execute format('drop sequence if exists imago_undo.%I', write.undo_table || '_seen');
    foreach suffix in array array['_insert', '_update', '_note', '_keep'] loop
      execute format('drop function if exists imago_undo.%I()', write.undo_table || suffix);
    end loop;
    update imago.plan_write w set undo_table = null where w.id = write.id;
  end loop;
  delete from imago.failure f where f.plan = plan_name and f.kind = 'forgotten';
  delete from imago.sync_failure s where s.plan = plan_name;
  delete from imago.lost_row l where l.plan = plan_name;
  delete from imago.stray_row l where l.plan = plan_name;
  return result;
end
$$;
comment on function imago.drop_undo(text) is 'Drops the undo tables of a plan with the functions that filled them; says how many and how much space they took.';

-- imago.drop_write
create or replace function imago.drop_write(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  suffix text;
  own record;
begin
  for own in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
    join imago.declared d on d.plan = write.plan and d.relation = write.relation and d.number = 0 and d.relation_id = t.tgrelid
    where t.tgname = imago.trigger_name(write.plan, 'guard') and t.tgparentid = 0
  loop
    execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
  end loop;
  foreach suffix in array array['_insert', '_update', '_note', '_keep'] loop
    execute format('drop function if exists imago_undo.%I() cascade', write.undo_table || suffix);
  end loop;
  execute format('drop table imago_undo.%I', write.undo_table);
  execute format('drop sequence if exists imago_undo.%I', write.undo_table || '_seen');
  update imago.plan_write w set points_to = (
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(w.points_to) e where e.value <> to_jsonb(write.relation))
  where w.plan = write.plan and w.points_to <> '{}';
  delete from imago.plan_sync s
  where s.plan = write.plan and s.relation = write.relation and pg_catalog.to_regclass(s.relation) is null;
  delete from imago.lost_row l where l.plan = write.plan and l.relation = write.relation;
  delete from imago.stray_row l where l.plan = write.plan and l.relation = write.relation;
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation
    and not exists (select from imago.plan p where p.name = write.plan and p.source = write.relation)
    and not exists (select from imago.plan_stage t where t.plan = write.plan and t.source = write.relation);
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation and d.name = any (write.columns);
  delete from imago.plan_write w where w.id = write.id;
end
$$;
comment on function imago.drop_write(imago.plan_write) is 'Takes a table that is lost out of what a plan writes, with its journal and triggers.';

-- imago.dry_run
create or replace function imago.dry_run(plan_name text, mode text, batch_size integer, max_ms integer default null, max_failures text default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  limits jsonb;
  problems jsonb;
  notices jsonb;
  result jsonb;
  stages jsonb;
begin
  perform imago.expect_size(batch_size, coalesce(max_ms, 1));
  if coalesce(mode, '') not in ('sample', 'full', 'preflight') then
    perform imago.raise_error('IM015', 'mode', coalesce(mode, 'null'), 'sample, full or preflight');
  end if;
  limits := imago.dry_run_limits(plan, max_ms);
  select coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity <> 'notice'), '[]'),
    coalesce(jsonb_agg(to_jsonb(p)) filter (where p.severity = 'notice'), '[]')
  into problems, notices from imago.preflight(plan) p;
  if mode = 'preflight' then
    return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'mode', mode, 'dry_run', true, 'status', 'done', 'has_more', false,
      'problems', problems, 'notices', notices, 'limits', limits,
      -- What is refused locks nothing; and tables of a schema that may not be used cannot even be named.
      'locks', case when problems @> '[{"severity": "error"}]' then '[]' else imago.locks_ahead(plan) end);
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  perform imago.expect_no_problems(plan_name, problems);
  perform imago.expect_not_held(plan);

  begin
    result := imago.rehearse(plan_name, mode, batch_size, limits, max_failures);
    raise exception using errcode = 'IMDRY', message = 'taken back';
  exception
    when sqlstate 'IMDRY' then null;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.raise_error('IM018');
  end;
  result := result || jsonb_build_object(
    'locks_held_ms', round(extract(epoch from clock_timestamp() - (result ->> 'locked_at')::timestamptz)::numeric * 1000),
    -- Of those that it has made itself none is left.
    'locks', coalesce((
      select jsonb_agg(l) from jsonb_array_elements(result -> 'locks') l where pg_catalog.to_regclass(l ->> 'object') is not null), '[]'));
  if result -> 'undeclared' <> '[]' then
    perform imago.raise_error('IM014', plan_name, (select string_agg(u, ', ') from jsonb_array_elements_text(result -> 'undeclared') u));
  end if;
  -- Nothing is locked any more, so it may take its time.
  stages := imago.stage_reports(plan, result -> 'stages', coalesce(nullif(result -> 'pending', 'null'), imago.pending_figures(plan)));
  return result - '{found,pending,locked_at}'::text[] || imago.plan_words(plan) || jsonb_build_object(
    'problems', problems || (result -> 'found'), 'notices', notices, 'limits', limits, 'stages', stages, 'estimate', imago.whole_estimate(stages));
end
$$;
comment on function imago.dry_run(text, text, integer, integer, text) is 'Rehearses a plan in a subtransaction and takes it back; leaves no rows (sequence gaps and dead tuples it does leave).';

-- imago.dry_run_limits
create or replace function imago.dry_run_limits(plan imago.plan, max_ms integer)
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- Until a plan is prepared, that takes its time as well, and holds tables: a sample then does less besides.
  select jsonb_build_object(
    'sample_ms', u.prepare_ms + least(coalesce(max_ms, 2000), case when u.prepare_ms > 0 then 500 else 2000 end),
    'full_ms', u.prepare_ms + coalesce(max_ms, imago.setting_number('dry_run_ms')),
    'prepare_ms', u.prepare_ms,
    'wait_ms', imago.setting_number('dry_run_wait_ms'))
  from (select case when plan.prepared_at is null then 2500 else 0 end as prepare_ms) u
$$;
comment on function imago.dry_run_limits(imago.plan, integer) is 'For how long a dry run may work and hold locks. sample_ms or full_ms, of which preparing may take prepare_ms. It ends sooner when others have waited for wait_ms.';

-- imago.dry_run_report
create or replace function imago.dry_run_report(plan imago.plan, run imago.run, tried jsonb, before jsonb, first_log bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer constant jsonb := tried -> 'answer';
  unsure constant integer[] := array(select (s ->> 'stage')::integer from jsonb_array_elements(tried -> 'stages') s where (s ->> 'unsure')::bigint > 0);
  written jsonb;
  side_effects jsonb;
  undeclared jsonb;
begin
  written := imago.add_counts(imago.table_counters(), before, -1);
  with written_tables as (
    select split_part(w.key, ' ', 1) as kind, substr(w.key, strpos(w.key, ' ') + 1) as name, w.value::bigint as amount
    from jsonb_each_text(written) w
    where w.value::bigint > 0
  ), others as (
    -- Updates of declared tables are looked at column by column; rows inserted there must be declared, deleted ones cannot be.
    select t.name, sum(t.amount)::bigint as amount, imago.explained_by_trigger(plan.name, t.name) as explained
    from written_tables t
    where not exists (
      select from imago.plan_write p
      where p.plan = plan.name
        and p.relation::pg_catalog.regclass = coalesce(pg_catalog.pg_partition_root(t.name::pg_catalog.regclass), t.name::pg_catalog.regclass)
        and (t.kind = 'update' or t.kind = 'insert' and p.inserts))
    group by t.name
    union all
    select distinct format('%s.%s', l.detail ->> 'relation', l.detail ->> 'column'), null::bigint,
      imago.explained_by_trigger(plan.name, l.detail ->> 'relation', l.detail ->> 'column')
    from imago.log l where l.id > first_log and l.event = 'undeclared_column'
  )
  select
    coalesce(jsonb_agg(jsonb_build_object('object', name, 'rows', amount)) filter (where explained), '[]'),
    coalesce(jsonb_agg(name) filter (where not explained), '[]')
    into side_effects, undeclared
  from others;
  return answer - 'run' || jsonb_build_object(
    'found', case when imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then '[]' else imago.rehearsal_problems(plan) end, 'dry_run', true, 'side_effects', side_effects, 'undeclared', undeclared,
    'failed', (select sum((s ->> 'failed')::bigint) from jsonb_array_elements(tried -> 'stages') s),
    'failures', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'stage', nullif(f.stage, 1), 'entity', f.entity, 'kind', f.kind, 'sqlstate', f.sqlstate, 'constraint', f.constraint_name,
        'table', f.table_name, 'raised_by', f.raised_by, 'unsure', case when f.stage = any (unsure) then true end)) order by f.id)
      from (select * from imago.failure f where f.run = dry_run_report.run.id order by f.id limit 100) f), '[]'),
    'error', imago.rehearsal_error(plan, answer -> 'error'),
    'rows_per_second', round((select coalesce(sum(value::bigint), 0) from jsonb_each_text(answer -> 'rows'))
      / greatest(0.001, (answer ->> 'duration_ms')::numeric / 1000)));
end
$$;
comment on function imago.dry_run_report(imago.plan, imago.run, jsonb, jsonb, bigint) is 'What a dry run found: rows, failures, side effects of the app''s triggers, undeclared writes.';

-- imago.each_column
create or replace function imago.each_column(template text, relation text, columns text[], separator text default ', ')
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select string_agg(
      format(template, c.ordinal, c.name, c.type, c.kept, case when c.comparable then c.kept else 'text collate "C"' end),
      separator order by c.ordinal)
    from imago.journal_columns(each_column.relation, each_column.columns) c);
end
$$;
comment on function imago.each_column(text, text, text[], text) is 'Writes a template once for each column. %1 is the position, %2 name, %3 type, %4 type in the journal, %5 type to compare by, so that a value changed to an equal one is a change.';

-- imago.edited_rows
create or replace function imago.edited_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  key_join text;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    key_join := imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    if write.columns <> '{}' then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''changed''::text, null::text
         from (%3$s) j join %4$s t on %5$s where (%6$s) and (%7$s)',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
        (select u.query from imago.undo_rows(write, plan, keys) u), write.relation, key_join,
        imago.each_column('t.%2$I::%5$s is distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' or '),
        imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '))
      using keys;
    end if;
    if write.inserts then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''edited''::text, null::text
         from imago_undo.%3$I j join %4$s t on %5$s
         where j.entity = any ($1::%6$s[]) and j.op = ''i'' and %8$s is distinct from %7$s',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
        write.undo_table, write.relation, key_join, plan.key_type, imago.fingerprint('t', write.inserted_columns), imago.journaled_print(write, 'j'))
      using keys;
    end if;
  end loop;
end
$$;
comment on function imago.edited_rows(imago.plan, text[]) is 'Rows of these entities that no longer hold what Imago wrote: a declared column changed, or an inserted row was edited.';

-- imago.end_checks_done
create or replace function imago.end_checks_done(run imago.run)
returns numeric
language sql
volatile
set search_path = ''
as $$
  select (imago.validation_answer(v.id, v.state, false, clock_timestamp()) -> 'percentage')::numeric
  from imago.validation v
  where v.plan = run.plan and v.run = end_checks_done.run.id and v.state <> 'done' and run.state = 'running' and run.direction = 'forward'
$$;
comment on function imago.end_checks_done(imago.run) is 'How far the checks at the end of a run are, in percent; null when none are under way.';

-- imago.end_run
create or replace function imago.end_run(run imago.run, plan imago.plan, findings jsonb)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  finding jsonb;
begin
  perform imago.forget_moved(run, s) from imago.plan_stages(plan) s;
  perform imago.note_counted(run, plan);
  begin
    perform imago.conclude_run(run);
  exception when sqlstate 'IM016' then
    return 'busy';
  end;
  update imago.run r set findings = end_run.findings where r.id = run.id;
  for finding in select f from jsonb_array_elements(findings) f loop
    perform imago.write_log(
      plan.name, run.id, case when finding -> 'found' = finding -> 'held' and finding -> 'error' = 'null' then 'info' else 'error' end,
      'finding', jsonb_strip_nulls(finding - 'name' || jsonb_build_object('check', finding -> 'name')));
  end loop;
  return 'done';
end
$$;
comment on function imago.end_run(imago.run, imago.plan, jsonb) is 'Ends a run that has nothing left to do: in the state that it comes to, with what its checks have found. Outcome done, or busy.';

-- imago.end_schedule
create or replace function imago.end_schedule(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_cron();
  perform imago.expect_writable(moving => false);
  return jsonb_build_object('plan', plan_name, 'unscheduled', imago.unschedule(plan_name, 'asked for'));
end
$$;
comment on function imago.end_schedule(text) is 'Removes the job of a plan because a person asks for it.';

-- imago.end_stage
create or replace function imago.end_stage(run imago.run, plan imago.plan, checks imago.validation, since timestamptz, deadline timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  next imago.plan := imago.next_stage(run, plan);
  removed text;
  findings jsonb;
begin
  if next.name is not null then
    perform imago.cut_lanes(run, next);
    perform imago.write_log(run.plan, run.id, 'info', 'stage', jsonb_build_object('stage', next.stage));
    -- A rehearsal counts by stage.
    return case when current_setting('imago.dry', true) = 'on' then 'yield' else 'working' end;
  end if;
  if run.direction = 'rollback' then
    removed := imago.unprepare_plan(run, plan);
    if removed in ('busy', 'more', 'failed') then
      return case removed when 'busy' then 'deferred' when 'more' then 'incomplete' else 'failed' end;
    end if;
  else
    findings := imago.check_end_of_run(run, plan, checks, since, deadline);
    if findings is null then
      -- Checks that are not through yet have used up this call.
      return case when imago.is_resumable(imago.latest_end_validation(run, since)) then 'timeout' else 'working' end;
    end if;
  end if;
  return imago.end_run(run, plan, findings);
end
$$;
comment on function imago.end_stage(imago.run, imago.plan, imago.validation, timestamptz, timestamptz) is 'Where nothing is left: begins the next stage or, after the last, goes through the checks and ends the run. Checks since the given time count. The outcome, as of finish_run.';

-- imago.end_status
create or replace function imago.end_status(run imago.run)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when run.state = 'succeeded' or run.state = 'failed' and run.error_code = 'set_aside' then 'done'
    else run.state
  end
$$;
comment on function imago.end_status(imago.run) is 'The status that callers of a run that has ended, or is paused, are answered: done, failed, cancelled or paused.';

-- imago.end_sync_batch
create or replace function imago.end_sync_batch(batch bigint, plan_name text, sync_position integer, entities text[], uncaptured jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  plan imago.plan;
  write imago.plan_write;
  fired integer;
  most integer := 0;
  elsewhere boolean := false;
  number bigint := batch;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if (select b.journaled from imago.batch b where b.id = end_sync_batch.batch) then
    perform imago.expect_captured(plan_name, uncaptured);
  end if;
  for write in select w.* from imago.plan_write w where w.plan = plan_name loop
    fired := coalesce(nullif(current_setting('imago.fired_' || write.id, true), ''), '0');
    most := greatest(most, fired);
    elsewhere := elsewhere or fired > 0 and write.relation::pg_catalog.regclass <> sync.relation::pg_catalog.regclass;
  end loop;
  if most = 0 or sync.direction = 'back' then
    delete from imago.batch b where b.id = end_sync_batch.batch;
    return;
  end if;
  if elsewhere or most > 1 then
    plan := imago.plan_at_stage(imago.find_plan(plan_name), sync.stage);
  end if;
  if elsewhere then
    -- Rows of one entity may be written by two transactions that do not wait for each other before they come to the same row.
    -- A number drawn while that row is locked says who was first.
    update imago.batch b set id = default where b.id = end_sync_batch.batch returning b.id into number;
    for write in select w.* from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
      execute format(
        'update imago_undo.%I j set batch = $1 where j.batch = $2%s', write.undo_table,
        case when write.stage = plan.stage then format(' and (j.entity = any ($3::%s[]) or j.op = ''n'')', plan.key_type) else '' end)
      using number, batch, entities;
    end loop;
  end if;
  if most > 1 then
    perform imago.compact_batch(number, plan, entities);
  end if;
  update imago.batch b set ms = round(extract(epoch from clock_timestamp() - b.created_at)::numeric * 1000, 3) where b.id = number;
end
$$;
comment on function imago.end_sync_batch(bigint, text, integer, text[], jsonb) is 'Ends the batch of one sync: proves that all was captured, settles what was captured more than once. A batch that the journal does not refer to is not kept.';

-- imago.ensure_statistics
create or replace function imago.ensure_statistics(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
begin
  -- A rehearsal would hold what it has prepared meanwhile, and gets by with one lane.
  if current_setting('imago.dry', true) = 'on' then
    return;
  end if;
  for plan in select s.* from imago.plan_stages(imago.find_plan(plan_name)) s loop
    if not exists (
      select from pg_catalog.pg_stats s
      where s.schemaname = plan.source_schema and s.tablename = plan.source_table and s.attname = plan.key_column) then
      execute 'analyze ' || plan.source;
    end if;
  end loop;
end
$$;
comment on function imago.ensure_statistics(text) is 'Analyzes the tables that are walked where it never was: lanes are cut by its statistics.';

-- imago.entities_left
create or replace function imago.entities_left(run imago.run, governor imago.governor)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  if governor.entity_room is null then
    return null;
  end if;
  return governor.entity_room - greatest(0, (select sum(l.moved + l.failed) from imago.lane l where l.run = run.id) - coalesce(governor.moved, 0));
end
$$;
comment on function imago.entities_left(imago.run, imago.governor) is 'Entities that may be moved before the next look; null: any number.';

-- imago.entities_query
create or replace function imago.entities_query(plan_name text, sync_position integer, event text)
returns text
language sql
stable
set search_path = ''
as $$
  select format('select coalesce(array_agg(distinct r.k), ''{}'') from (%s) r where r.k is not null', (
    select string_agg(format('select t.%I::text as k from %s t', imago.name_now(s.plan, s.relation, s.entity_column), t), ' union all ')
    from unnest(case event when 'INSERT' then '{imago_new}' when 'DELETE' then '{imago_old}' else '{imago_old,imago_new}' end::text[]) t))
  from imago.plan_sync s where s.plan = plan_name and s.position = sync_position
$$;
comment on function imago.entities_query(text, integer, text) is 'SQL for the trigger of a sync whose columns were renamed: the entities of all rows of the statement.';

-- imago.entity_answer
create or replace function imago.entity_answer(plan imago.plan, entity text, attempt imago.attempt, rolled_back boolean, started timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', entity_answer.plan.name, 'entity', entity, 'rolled_back', rolled_back,
    'restored', coalesce((select jsonb_object_agg(key, value) from jsonb_each(attempt.rows) where key !~ ':(removed|detached)$'), '{}'),
    'removed', coalesce((select jsonb_object_agg(left(key, -8), value) from jsonb_each(attempt.rows) where key ~ ':removed$'), '{}'),
    'detached', coalesce((select jsonb_object_agg(left(key, -9), value) from jsonb_each(attempt.rows) where key ~ ':detached$'), '{}'),
    'conflicts', coalesce((
      select jsonb_agg(jsonb_build_object('relation', f.table_name, 'key', f.row_key, 'reason', f.reason) order by f.id)
      from imago.failure f
      where f.plan = entity_answer.plan.name and f.stage = entity_answer.plan.stage and f.entity = entity_answer.entity and f.kind = 'conflict' and not rolled_back), '[]'),
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1)) || imago.stage_label(entity_answer.plan.stage)
$$;
comment on function imago.entity_answer(imago.plan, text, imago.attempt, boolean, timestamptz) is 'The JSON that rollback_entity and rollback_user_migration return.';

-- imago.entity_exists
create or replace function imago.entity_exists(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  result boolean;
begin
  execute format('select exists (select from %s where %I = $1::%s)', plan.source, plan.key_column, plan.key_type)
    into result using entity;
  return result;
end
$$;
comment on function imago.entity_exists(imago.plan, text) is 'Whether the source has a row with this key.';

-- imago.entity_ms
create or replace function imago.entity_ms(took interval, entities bigint, out ms numeric)
language plpgsql
immutable
set search_path = ''
as $$
declare
  took_ms constant numeric := 1000 * extract(epoch from took);
begin
  ms := greatest(took_ms - imago.sub_batch_cost_ms(), took_ms / 2) / entities;
end
$$;
comment on function imago.entity_ms(interval, bigint, out numeric) is 'What each further entity of a sub-batch takes, in milliseconds.';

-- imago.entity_run
create or replace function imago.entity_run(plan imago.plan, direction text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if direction = 'forward' and plan.prepared_at is null then
    perform imago.raise_error('IM005', plan.name, plan.name);
  end if;
  loop
    run := imago.unfinished_run(plan.name);
    if run.id is null then
      run := imago.last_run(plan.name);
      if run.id is null and direction = 'rollback' then
        perform imago.raise_error('IM022', plan.name);
      end if;
      if direction = 'forward' and (run.id is null or run.direction = 'rollback' or run.state in ('succeeded', 'cancelled')
                                    or run.error_code = 'set_aside') then
        run := imago.open_run(plan.name, 'forward');
      end if;
    end if;
    if direction = 'forward' and run.direction = 'rollback' then
      perform imago.raise_error('IM017', plan.name, plan.name);
    end if;
    if run.state = 'failed' and run.error_code is distinct from 'set_aside' and direction = 'forward' then
      perform imago.raise_error('IM024', plan.name, plan.name);
    end if;
    if run.state = 'pending' then
      perform imago.start_run(run.id);
    end if;
    run := imago.lock_run(run.id, shared => true);
    perform imago.expect_not_finalized(plan.name, direction);
    if run.state = 'paused' and direction = 'forward' then
      perform imago.raise_error('IM019', plan.name, plan.name);
    end if;
    -- A forward run that ended, or was taken over, between our look and our hold on it is not the one.
    exit when run.state = 'running' or direction = 'rollback';
  end loop;
  return run;
end
$$;
comment on function imago.entity_run(imago.plan, text) is 'The run to which a window or a single entity is booked, held for share and checked.';

-- imago.entity_stage
create or replace function imago.entity_stage(plan imago.plan, entity text, stage integer, journaled boolean)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  named imago.plan;
  numbers integer[] := '{}';
begin
  if stage not in (select s.stage from imago.plan_stages(plan) s) then
    perform imago.raise_error('IM015', 'stage', entity_stage.stage::text,
      (select string_agg(format('%s (%s)', s.stage, s.source), ', ' order by s.stage) from imago.plan_stages(plan) s));
  end if;
  for staged in select s.* from imago.plan_stages(plan) s where s.stage = coalesce(entity_stage.stage, s.stage) loop
    begin
      if journaled and imago.has_journal(staged, entity) or not journaled and imago.entity_exists(staged, entity) then
        named := staged;
        numbers := numbers || staged.stage;
      end if;
    exception when data_exception then
      -- No key of this stage looks so.
      null;
    end;
  end loop;
  if cardinality(numbers) > 1 then
    perform imago.raise_error('IM051', plan.name, array_to_string(numbers, ', '), numbers[1]::text);
  end if;
  return named;
end
$$;
comment on function imago.entity_stage(imago.plan, text, integer, boolean) is 'The plan as the stage sees it whose entity a key names, by the table that the stage walks or by its journal. Null when there is none, IM051 when there are several and none was asked for.';

-- imago.entity_type
create or replace function imago.entity_type(undo_table text)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select pg_catalog.format_type(a.atttypid, a.atttypmod)
    from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('imago_undo.' || quote_ident(undo_table)) and a.attname = 'entity');
end
$$;
comment on function imago.entity_type(text) is 'Type of the entities that an undo table names; null where there is no such table.';

-- imago.entity_words
create or replace function imago.entity_words(plan imago.plan, out singular text, out plural text)
language sql
immutable
set search_path = ''
as $$
  select
    -- Off goes an s behind a letter, but not where the word has it in the singular, too (status), or needs more than that (boxes, companies).
    coalesce(plan.entity_singular, case
      when plan.source_table ~* '[[:alpha:]]{2}s$' and plan.source_table !~* '(ss|us|is|ies|oes|[sxz]es|[cs]hes|news)$'
      then left(plan.source_table, -1)
      else plan.source_table
    end),
    coalesce(plan.entity_plural, plan.source_table)
$$;
comment on function imago.entity_words(imago.plan) is 'What one entity of a stage, and what several, are called: as the plan says, else by the table''s name.';

-- imago.enum_behind
create or replace function imago.enum_behind(type oid)
returns oid
language sql
stable
set search_path = ''
as $$
  -- Domains may be made of domains, and arrays of these.
  with recursive made as (
    select t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory from pg_catalog.pg_type t where t.oid = enum_behind.type
    union
    select t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory
    from made m
    join pg_catalog.pg_type t on t.oid = case when m.typtype = 'd' then m.typbasetype when m.typcategory = 'A' then m.typelem end
  )
  select m.oid from made m where m.typtype = 'e'
$$;
comment on function imago.enum_behind(oid) is 'The enum that a type is, or is made of by domains and arrays; null if there is none.';

-- imago.error_frames
create or replace function imago.error_frames(context text, plan text default null)
returns table (number bigint, routine oid, schema_name name, routine_name name, line integer, in_sql boolean, is_raise boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  name constant text := '(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")';
  called constant text := format('((?:%1$s\.)?%1$s)\([^()]*\)', name);
  -- The server may speak any language: what it never translates are the names of languages and of the statement RAISE.
  quotes constant text := '"«»„“”「」';
begin
  -- A function that lies in the path of who called it first is named without its schema.
  perform set_config('search_path', imago.app_search_path(), true);
  return query
    with lines as (
      select l.n, l.line, (regexp_match(l.line, called))[1] as quoted_name, false as in_sql
      from string_to_table(error_frames.context, E'\n') with ordinality l(line, n)
      where l.line ~ format('^(%s[^"]*|[^"(]*)PL/pgSQL', called)
      union all
      select l.n, l.line, quote_ident(btrim(l.parts[2], U&' \00a0')), true
      from (
        select l.n, l.line, regexp_match(l.line, format('^([^%1$s]*)[%1$s]([^%1$s]+)[%1$s]([^%1$s]*)$', quotes)) as parts
        from string_to_table(error_frames.context, E'\n') with ordinality l(line, n)
        where l.line !~ 'PL/pgSQL'
      ) l
      where l.parts[1] || l.parts[3] ~ 'SQL|PL/'
    ), frames as (
      select l.n, l.in_sql, parse_ident(l.quoted_name) as parts, replace(l.line, l.quoted_name, '') as rest
      from lines l
      where l.quoted_name is not null
    )
    select f.n, p.oid, p.nspname, p.proname, (regexp_match(f.rest, '\d+'))[1]::integer, f.in_sql, f.rest ~ 'RAISE'
    from frames f
    cross join lateral (
      select p.oid, n.nspname, p.proname
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
      where p.proname = f.parts[cardinality(f.parts)]
        and (cardinality(f.parts) = 1 or n.nspname = f.parts[1])
        and case when f.in_sql then l.lanname not in ('plpgsql', 'c', 'internal') else l.lanname = 'plpgsql' end
      order by n.nspname is not distinct from error_frames.plan desc, pg_catalog.pg_function_is_visible(p.oid) desc, p.oid
      limit 1
    ) p;
end
$$;
comment on function imago.error_frames(text, text) is 'The functions of an error''s context, innermost first, with the line (in_sql: the statement) that each was at. Only what the catalogue knows as a function is answered, and numbers: no text of the context, which may hold values. plan: of functions of one name, its own is meant.';

-- imago.error_json
create or replace function imago.error_json(code text, variadic args text[])
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('code', e.code, 'message', format(e.message, variadic args), 'hint', format(e.hint, variadic args))
  from imago.error e where e.code = error_json.code
$$;
comment on function imago.error_json(text, text[]) is 'An error of imago.error as code, message and hint, for answers that do not raise it.';

-- imago.estimate_figures
create or replace function imago.estimate_figures(
  run imago.run,
  staged imago.plan,
  source_total bigint,
  source_rows bigint,
  out total bigint,
  out migrated bigint
)
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Still pending, or for a rollback still migrated.
  aside constant bigint := (
    select a.unmoved + case run.direction when 'forward' then a.held else 0 end
    from imago.count_set_aside(run.plan, run.direction, staged.stage) a);
  begun imago.run_stage;
  forward imago.run;
begin
  if run.state in ('pending', 'running', 'paused') then
    select t.* into begun from imago.run_stage t where t.run = estimate_figures.run.id and t.stage = staged.stage;
    source_total := coalesce(begun.total, source_total);
    source_rows := coalesce(begun.source_rows, source_rows);
  end if;
  total := source_total;
  if run.id is null then
    migrated := 0;
  elsif run.late_only or run.state in ('succeeded', 'failed') and coalesce(run.error_code, 'set_aside') = 'set_aside' then
    migrated := case run.direction when 'forward' then greatest(0, total - aside) else aside end;
  elsif run.direction = 'forward' then
    select w.total, w.migrated into total, migrated from imago.walked_figures(run, staged, total, source_rows, aside) w;
  else
    -- Of the rollbacks since the last run forward, each has taken its part.
    select r.* into forward from imago.run r
    where r.plan = run.plan and r.direction = 'forward' and r.validation is null and r.id < run.id order by r.id desc limit 1;
    migrated := greatest(
      (imago.estimate_figures(forward, staged, total, source_rows)).migrated - imago.moved_by_runs(run.plan, 'rollback', staged.stage, forward.id, run.id),
      (select count(*) from imago.lane l where l.run = estimate_figures.run.id and l.stage = staged.stage and not l.done));
  end if;
  total := greatest(total, migrated);
end
$$;
comment on function imago.estimate_figures(imago.run, imago.plan, bigint, bigint, out bigint, out bigint) is 'How many entities a large stage concerns, and how many of them are migrated, as far as lanes tell. An unfinished lane has at least one to move, or to take back.';

-- imago.estimate_stage
create or replace function imago.estimate_stage(staged imago.plan)
returns bigint
language plpgsql
-- As planned_rows, which it calls.
volatile
set search_path = ''
as $$
declare
  pending constant text := imago.plan_object(staged, 'pending');
  rows constant bigint := imago.estimated_rows(staged.source);
begin
  if pg_catalog.to_regclass(pending) is null then
    return rows;
  end if;
  -- As a share: the planner takes a table whose rows were written anew for a larger one, and the view along with it.
  return round(rows * least(1, imago.planned_rows(pending) / greatest(1, imago.planned_rows(staged.source))));
end
$$;
comment on function imago.estimate_stage(imago.plan) is 'Entities of a stage that are still to be moved, by statistics. Before the plan is prepared, all of them.';

-- imago.estimated_rest_ms
create or replace function imago.estimated_rest_ms(plan_check imago.plan_check, cursor_key text)
returns numeric
language plpgsql
volatile
set search_path = ''
set enable_seqscan = on
set jit = off
set max_parallel_workers_per_gather = 0
set work_mem = '64MB'
as $$
declare
  plan jsonb;
  -- What a server does that has its tables in memory. One that is slower runs into its timeout and goes piece by piece.
  cost_a_ms constant numeric := 125;
begin
  -- The planner may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('explain (format json) select count(*) from (%s) f where %s', imago.check_sql(plan_check), imago.piece_range(plan_check, cursor_key, null))
    into plan using cursor_key, null::text;
  return (plan #>> '{0,Plan,Total Cost}')::numeric / cost_a_ms;
end
$$;
comment on function imago.estimated_rest_ms(imago.plan_check, text) is 'Milliseconds that one query over all that is left of a check takes, as the planner sees it.';

-- imago.estimated_rows
create or replace function imago.estimated_rows(relation text)
returns bigint
language sql
stable
set search_path = ''
as $$
  select greatest(0, coalesce(sum(c.reltuples), 0))::bigint
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(relation)
     or c.oid in (select t.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation)) t where t.isleaf)
        and not exists (select from pg_catalog.pg_class p where p.oid = pg_catalog.to_regclass(relation) and p.relkind = 'r')
$$;
comment on function imago.estimated_rows(text) is 'For plans: rows of a table by its statistics; partitioned tables by their leaves.

Example: select imago.estimated_rows(''public.users'')';

-- imago.evaluation_error
create or replace function imago.evaluation_error(plan_check imago.plan_check, plan imago.plan, sqlstate text, context text, message text, hint text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, evaluation_error.sqlstate, plan.name);
begin
  return jsonb_build_object('sqlstate', evaluation_error.sqlstate) || case
    when raiser.by_engine and evaluation_error.sqlstate like 'IM%'
    then jsonb_build_object('code', evaluation_error.sqlstate, 'message', evaluation_error.message, 'hint', evaluation_error.hint)
    else imago.error_json('IM029', plan_check.name, plan.name, imago.sqlstate_text(evaluation_error.sqlstate, raiser.raised_by)) end;
end
$$;
comment on function imago.evaluation_error(imago.plan_check, imago.plan, text, text, text, text) is 'Why a check could not be evaluated, as code, message, hint and sqlstate. What the engine says is passed on; of all else, whose text may hold values, only who raised it.';

-- imago.expect_begun
create or replace function imago.expect_begun(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if plan.stage > 1 and not exists (
    select from imago.lane l join imago.run r on r.id = l.run
    where r.plan = expect_begun.plan.name and r.direction = 'forward' and l.stage = expect_begun.plan.stage
      and not exists (select from imago.run b where b.plan = r.plan and b.direction = 'rollback' and b.id > r.id)) then
    perform imago.raise_error('IM052', plan.name, plan.stage::text);
  end if;
end
$$;
comment on function imago.expect_begun(imago.plan) is 'Refuses to move an entity of a stage that no run has come to since everything was taken back (IM052). It may need what the stages before it make.';

-- imago.expect_captured
create or replace function imago.expect_captured(plan text, before jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missed text;
  problem record;
begin
  select r.key into missed
  from jsonb_each_text(imago.uncaptured_rows(plan)) r
  where r.value::bigint > (before ->> r.key)::bigint
  order by r.key
  limit 1;
  if missed is null then
    return;
  end if;
  select p.* into problem from imago.capture_problems(plan) p where p.relation = missed limit 1;
  raise exception using
    errcode = 'IM060', message = 'rows were written that the journal has not seen', table = missed,
    detail = to_jsonb(array[plan, missed, coalesce(
      problem.object || ' ' || problem.message, 'a function of the app has changed session_replication_role meanwhile')])::text;
end
$$;
comment on function imago.expect_captured(text, jsonb) is 'Raises IM060 when rows were written since that no capture trigger has seen: they could not be taken back. Names the relation and the likely cause.';

-- imago.expect_clean
create or replace function imago.expect_clean(plan imago.plan, deadline timestamptz, since timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run_id constant bigint := (imago.last_run(plan.name)).id;
  answer jsonb;
begin
  answer := imago.run_error_checks(plan, run_id, deadline, since);
  if answer -> 'failing' <> '[]' and (answer ->> 'has_more')::boolean then
    -- It may have been mended since that was counted: begin anew.
    answer := imago.run_error_checks(plan, run_id, deadline, clock_timestamp());
  end if;
  if answer -> 'failing' <> '[]' then
    perform imago.raise_error('IM038', plan.name, (
      select string_agg(format('check %s %s', f ->> 'name', case
          when f ->> 'error' is not null then 'cannot be evaluated: ' || (f ->> 'error')
          else 'finds ' || (f ->> 'found') || imago.sample_keys_text(array(select jsonb_array_elements_text(f -> 'keys')), (f ->> 'found')::bigint) end), '; ')
      from jsonb_array_elements(answer -> 'failing') f),
      'Call validate_migration to see what is wrong and what mends it.' || coalesce((
        select ' ' || string_agg(distinct h.hint, ' ') from jsonb_array_elements(answer -> 'failing') f
        cross join lateral jsonb_array_elements_text(f -> 'hints') h(hint)), ''));
  end if;
  return answer;
end
$$;
comment on function imago.expect_clean(imago.plan, timestamptz, timestamptz) is 'One call''s worth of the checks; refuses (IM038) as soon as one of severity error fails or cannot be evaluated. The error names the check, its count and some keys.';

-- imago.expect_cleanable
create or replace function imago.expect_cleanable(plan imago.plan, older_than interval)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
  since timestamptz;
begin
  if run.state in ('pending', 'running', 'paused') then
    perform imago.raise_error('IM040', plan.name, format('run %s (%s) is %s', run.id, run.direction, run.state), 'Let it end, or cancel it with cancel_migration.');
  elsif plan.finalized_at is not null then
    since := plan.finalized_at;
  elsif plan.closed_at is not null then
    perform imago.raise_error('IM040', plan.name, 'finalize has not ended', 'Call finalize_migration until has_more is false.');
  elsif run.direction = 'rollback' and run.state = 'succeeded' and imago.remaining_entities(run, plan, 1) = '{}' then
    since := run.finished_at;
  else
    perform imago.raise_error('IM040', plan.name, 'its journal is the way back', 'Finalize it first (finalize_migration), or take everything back.');
  end if;
  if since + older_than > clock_timestamp() then
    perform imago.raise_error('IM040', plan.name,
      format('its verification period ends on %s (UTC)', to_char((since + older_than) at time zone 'UTC', 'YYYY-MM-DD "at" HH24:MI')),
      'Call again then. A shorter older_than ends it earlier.');
  end if;
  return since;
end
$$;
comment on function imago.expect_cleanable(imago.plan, interval) is 'Refuses to clean up while the journal is the way back, or before the verification period is over (IM040). Gives since when that counts: when the plan was finalized, or taken back whole.';

-- imago.expect_comparable_keys
create or replace function imago.expect_comparable_keys(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  integers constant text[] := array['smallint', 'integer', 'bigint'];
  staged imago.plan;
  entity record;
  fits boolean;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    select pg_catalog.format_type(a.atttypid, a.atttypmod) as type, imago.journal_type(a.atttypid, -1) as base into entity
    from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) and a.attname = 'entity';
    -- 5.0 equals 5, and is no integer when it is read as one.
    fits := staged.key_type <> all (integers) or entity.base = any (integers);
    begin
      perform imago.pending_keys(staged, '{}');
    exception when undefined_function or datatype_mismatch then
      fits := false;
    end;
    if not fits then
      perform imago.raise_error('IM067', plan.name, imago.plan_object(staged, 'pending'), entity.type, staged.source, staged.key_type);
    end if;
  end loop;
end
$$;
comment on function imago.expect_comparable_keys(imago.plan) is 'Refuses a view pending whose entities can never equal a key of the source (IM067).';

-- imago.expect_cron
create or replace function imago.expect_cron()
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  problem text := imago.cron_problem();
begin
  if problem is not null then
    perform imago.raise_error(problem, current_user);
  end if;
end
$$;
comment on function imago.expect_cron() is 'Refuses where pg_cron is not enabled (IM031) or not granted (IM032).';

-- imago.expect_done
create or replace function imago.expect_done(plan_name text, finalized boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_effective_run(plan.name);
  reasons text;
  remedies text;
begin
  if finalized is null then
    perform imago.raise_error('IM004', 'finalized');
  end if;
  perform imago.expect_session(writing => false);
  if plan.finalized_at is not null or plan.cleaned_at is not null and plan.closed_at is not null then
    return jsonb_build_object('plan', plan_name, 'done', true);
  end if;
  perform imago.expect_visible(plan_name);
  -- A database that has none of its rows, as when all migrations are applied to an empty one, has nothing to migrate.
  if plan.finalizing_at is null and imago.has_no_entities(plan)
     and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded') then
    return jsonb_build_object('plan', plan_name, 'done', true);
  end if;
  if finalized or plan.closed_at is not null then
    perform imago.raise_error('IM066', plan.name, 'it is not finalized', 'Call finalize_migration until has_more is false.');
  end if;
  select string_agg(o.reason, '; ' order by o.n), string_agg(distinct o.remedy, ' ') into reasons, remedies
  from imago.undone(plan) with ordinality o(reason, remedy, n);
  if reasons is not null then
    perform imago.raise_error('IM066', plan.name, reasons, remedies);
  end if;
  return jsonb_build_object('plan', plan_name, 'done', true);
end
$$;
comment on function imago.expect_done(text, boolean) is 'Refuses (IM066) unless a plan is done. That is: finalized, or its run has succeeded, its checks found nothing and nothing is pending now; or there is nothing to migrate.';

-- imago.expect_finalizable
create or replace function imago.expect_finalizable(plan imago.plan, pending text[] default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  reasons text;
  remedies text;
begin
  select string_agg(o.reason, '; ' order by o.n), string_agg(distinct o.remedy, ' ') into reasons, remedies
  from imago.finalize_obstacles(plan, pending) with ordinality o(kind, reason, remedy, n);
  if reasons is not null then
    perform imago.raise_error('IM038', plan.name, reasons, remedies);
  end if;
end
$$;
comment on function imago.expect_finalizable(imago.plan, text[]) is 'Refuses to finalize while anything is left to be moved or decided (IM038).';

-- imago.expect_indexes
create or replace function imago.expect_indexes(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  missing record;
begin
  select u.* into missing from imago.missing_indexes(plan_name) u where not u.is_small limit 1;
  if found then
    perform imago.raise_error('IM057', plan_name, missing.object, missing.statement);
  end if;
end
$$;
comment on function imago.expect_indexes(text) is 'Refuses (IM057) where a rollback would read all of a table that is not small for each entity. Nobody could build the index on it.';

-- imago.expect_journal
create or replace function imago.expect_journal(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  bare bigint;
begin
  select max(r.id) into bare
  from imago.run r
  where r.plan = plan_name and r.direction = 'forward' and not r.backup
    and (exists (select from imago.batch b where b.run = r.id and b.moved > 0)
         -- Its syncs kept none either.
         or r.started_at is not null and exists (select from imago.plan_sync s where s.plan = plan_name));
  if bare is not null then
    perform imago.raise_error('IM009', plan_name, bare::text);
  end if;
end
$$;
comment on function imago.expect_journal(text) is 'Refuses to roll back what was moved without a journal (IM009).';

-- imago.expect_no_problems
create or replace function imago.expect_no_problems(plan_name text, problems jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if jsonb_path_exists(problems, '$[*] ? (@.severity == "error")') then
    perform imago.raise_error('IM006', plan_name, (
      select string_agg(format('%s %s', p ->> 'object', p ->> 'message'), '; ')
      from jsonb_array_elements(problems) p where p ->> 'severity' = 'error'));
  end if;
end
$$;
comment on function imago.expect_no_problems(text, jsonb) is 'Refuses to start where the preflight found errors (IM006).';

-- imago.expect_not_finalized
create or replace function imago.expect_not_finalized(plan_name text, direction text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
begin
  if plan.closed_at is not null then
    perform imago.raise_error('IM039', plan_name, case direction when 'rollback' then 'rolled back' else 'migrated' end,
      to_char(plan.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'));
  end if;
end
$$;
comment on function imago.expect_not_finalized(text, text) is 'Refuses to move entities, forward or back, once finalize has closed the way back (IM039).';

-- imago.expect_not_held
create or replace function imago.expect_not_held(plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  reason text;
begin
  if (imago.glance(plan, imago.unfinished_run(plan.name))).share > 0 then
    return;
  end if;
  select string_agg(imago.reading_text(r), '; ') into reason
  from unnest(imago.take_readings(plan, imago.unfinished_run(plan.name), (select g from imago.governor g where g.plan = plan.name))) r
  where r.level >= 2 and r.signal not in ('hours', 'waiters');
  perform imago.raise_error('IM088', plan.name, coalesce(reason, imago.hold_reason(plan.name)));
end
$$;
comment on function imago.expect_not_held(imago.plan) is 'For calls that have no status of their own: refuses while the server''s health holds the runs of a plan (IM088).';

-- imago.expect_nothing_deleted
create or replace function imago.expect_nothing_deleted(plan text, batch bigint, before jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  after constant jsonb := imago.deleted_rows(plan);
  write imago.plan_write;
  deleted bigint;
  inserted bigint;
  left_over bigint;
begin
  if after = before then
    return;
  end if;
  for write in select w.* from imago.plan_write w where w.plan = expect_nothing_deleted.plan and w.captured_at is not null loop
    deleted := (after -> write.relation ->> 'deleted')::bigint - (before -> write.relation ->> 'deleted')::bigint;
    inserted := (after -> write.relation ->> 'inserted')::bigint - (before -> write.relation ->> 'inserted')::bigint;
    -- Counters fall where the table was truncated.
    continue when deleted = 0 and inserted >= 0;
    left_over := 0;
    if write.inserts then
      execute format(
        'select count(*) from (select distinct %1$s from imago_undo.%2$I u where u.batch = $1 and u.op = ''i'') u join %3$s t on %4$s',
        imago.each_column('u.key_%1$s', write.relation, write.key_columns), write.undo_table, write.relation,
        imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
      into left_over using batch;
    elsif not exists (select from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(write.relation) and c.relkind = 'p') then
      -- What triggers insert where the plan inserts nothing makes up for nothing.
      inserted := 0;
    end if;
    -- Rows that this batch has inserted may go again, and one that moves to another partition is deleted and inserted.
    if inserted < 0 or deleted > inserted - left_over then
      raise exception using errcode = 'IM072', message = 'rows were deleted that cannot be brought back', table = write.relation;
    end if;
  end loop;
end
$$;
comment on function imago.expect_nothing_deleted(text, bigint, jsonb) is 'Raises IM072 when a batch deleted rows of a declared relation that it had not inserted itself. Or what it has set off in the app.';

-- imago.expect_options
create or replace function imago.expect_options(backup boolean, max_failures text, on_failure text, dry_run boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if dry_run is null then
    perform imago.raise_error('IM004', 'dry_run');
  end if;
  if on_failure not in ('stop', 'rollback') then
    perform imago.raise_error('IM015', 'on_failure', on_failure, 'stop or rollback');
  end if;
  if max_failures !~ '^[0-9]{1,9}$' and max_failures !~ '^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$' then
    perform imago.raise_error('IM015', 'max_failures', max_failures, 'a number, or a percentage such as 2%');
  end if;
  if on_failure = 'rollback' and not backup then
    perform imago.raise_error('IM015', 'on_failure', on_failure, 'stop, when backup is false: without a journal there is no way back');
  end if;
end
$$;
comment on function imago.expect_options(boolean, text, text, boolean) is 'Refuses options of a run that make no sense (IM004, IM015); null is what the run has.';

-- imago.expect_own_deleted
create or replace function imago.expect_own_deleted(counts jsonb, present bigint, before jsonb, after jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  lost record;
begin
  -- Rows that move to another partition are deleted and inserted.
  select c.relation, sum(c.deleted) over () as deleted into lost
  from (
    select a.key as relation, greatest(0, (a.value ->> 'deleted')::bigint - (before -> a.key ->> 'deleted')::bigint
      - case when c.relkind = 'p' then greatest(0, (a.value ->> 'inserted')::bigint - (before -> a.key ->> 'inserted')::bigint) else 0 end) as deleted
    from jsonb_each(after) a
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(a.key)
  ) c
  order by c.deleted - coalesce((counts ->> (c.relation || ':removed'))::bigint, 0) desc
  limit 1;
  if lost.deleted > present then
    raise exception using errcode = 'IM072', message = 'rows were deleted that cannot be brought back', table = lost.relation;
  end if;
end
$$;
comment on function imago.expect_own_deleted(jsonb, bigint, jsonb, jsonb) is 'Raises IM072 when more rows of declared relations were deleted than the rollback had to remove (present). Triggers of the app deleted rows that no journal has.';

-- imago.expect_run
create or replace function imago.expect_run(plan_name text, direction text, run_id bigint)
returns imago.run
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run;
begin
  select r.* into run from imago.run r where r.id = run_id and r.plan = plan_name and r.direction = expect_run.direction;
  if not found then
    perform imago.raise_error('IM034', run_id::text, expect_run.direction, plan_name);
  end if;
  return run;
end
$$;
comment on function imago.expect_run(text, text, bigint) is 'The run that a caller says it drives, or IM034.';

-- imago.expect_same_journal
create or replace function imago.expect_same_journal(plan imago.plan, keys text[], journaled jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  relation text;
begin
  select c.key into relation from jsonb_each_text(imago.count_journaled(plan, keys)) c where c.value <> journaled ->> c.key limit 1;
  if found then
    perform imago.raise_changed_journal(relation);
  end if;
end
$$;
comment on function imago.expect_same_journal(imago.plan, text[], jsonb) is 'Raises where these entities have more journal, or less, than has been read of them.';

-- imago.expect_same_settings
create or replace function imago.expect_same_settings(run imago.run, backup boolean, max_failures text, on_failure text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if backup <> run.backup then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'backup', run.backup::text, backup::text);
  end if;
  if max_failures is not null and max_failures is distinct from run.max_failures then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'max_failures', coalesce(run.max_failures, 'null'), max_failures);
  end if;
  if on_failure <> run.on_failure then
    perform imago.raise_error('IM007', run.id::text, run.plan, 'on_failure', run.on_failure, on_failure);
  end if;
end
$$;
comment on function imago.expect_same_settings(imago.run, boolean, text, text) is 'Refuses a call that contradicts what the call that created the run has fixed (IM007). One that says nothing goes on with it.';

-- imago.expect_session
create or replace function imago.expect_session(writing boolean default true)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if writing and current_setting('session_replication_role') = 'replica' then
    perform imago.raise_error('IM062');
  end if;
  -- What was committed while we waited for a lock has to be seen.
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    perform imago.raise_error('IM063', current_setting('transaction_isolation'));
  end if;
end
$$;
comment on function imago.expect_session(boolean) is 'Refuses sessions in which moving would go wrong. Triggers do not fire for a replica (IM062, where something is to be written), and a transaction that sees old rows only takes them for all there is (IM063).';

-- imago.expect_size
create or replace function imago.expect_size(batch_size integer, max_ms integer default 2000)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if batch_size not between 1 and 10000 then
    perform imago.raise_error('IM002', batch_size::text);
  end if;
  if max_ms is null then
    perform imago.raise_error('IM004', 'max_ms');
  end if;
  if max_ms not between 1 and 3600000 then
    perform imago.raise_error('IM015', 'max_ms', max_ms::text, '1 to 3600000 milliseconds');
  end if;
end
$$;
comment on function imago.expect_size(integer, integer) is 'Refuses sizes and budgets outside their range (IM002, IM004, IM015).';

-- imago.expect_small_journal
create or replace function imago.expect_small_journal(plan_name text, moves jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  large text;
begin
  -- Values are rewritten by one statement for each undo table. Where none ends it, it may take what it takes.
  if (select s.setting::integer = 0 from pg_catalog.pg_settings s where s.name = 'statement_timeout') then
    return;
  end if;
  select string_agg(distinct format('%s is %s', m.what, m.becomes), ', ') into large
  from (
    select m ->> 'relation' as relation, m ->> 'name' as name, m ->> 'kind' as kind,
      format('%s.%I', m ->> 'relation', m ->> 'name') || case m ->> 'kind' when 'label' then ' label ' || quote_literal(m ->> 'was') else '' end as what,
      case m ->> 'kind' when 'label' then quote_literal(m ->> 'becomes') else m ->> 'becomes' end || ' now' as becomes
    from jsonb_array_elements(moves) m
    where m ->> 'kind' in ('retyped', 'label')
  ) m
  join imago.plan_write w on w.plan = plan_name and w.undo_table is not null and imago.is_large(format('imago_undo.%I', w.undo_table))
  where w.relation = m.relation and (m.kind = 'label' or m.name = any (w.columns || w.key_columns || w.inserted_columns))
    -- The entities of all tables of a stage have the type of its key.
    or exists (select from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = plan_name and s.source = m.relation and s.key_column = m.name);
  if large is not null then
    perform imago.raise_error('IM069', plan_name, large);
  end if;
end
$$;
comment on function imago.expect_small_journal(text, jsonb) is 'Refuses (IM069) to have a journal follow new types and labels within a call where it is large. Without a statement timeout it may be as large as it likes.';

-- imago.expect_source
create or replace function imago.expect_source(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Once it is finalized, clean-up may have dropped it.
  if plan.closed_at is null and pg_catalog.to_regclass(plan.source) is null then
    perform imago.raise_error('IM006', plan.name, plan.source || ' table is missing');
  end if;
end
$$;
comment on function imago.expect_source(imago.plan) is 'Refuses to count what is not there (IM006).';

-- imago.expect_taken_back
create or replace function imago.expect_taken_back(
  plan imago.plan,
  keys text[],
  counts jsonb,
  present bigint,
  before jsonb,
  after jsonb,
  journaled jsonb
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  kept jsonb;
begin
  -- What was done is what was asked for, and nothing else was written to these tables: then all is as it should be.
  -- Null: not known.
  if present = (select coalesce(sum(c.value::bigint), 0) from jsonb_each_text(counts) c where c.key like '%:removed')
     and not exists (
       select from jsonb_each(after) a
       where (a.value ->> 'inserted')::bigint > (before -> a.key ->> 'inserted')::bigint
          or (a.value ->> 'updated')::bigint - (before -> a.key ->> 'updated')::bigint
             > coalesce((counts ->> a.key)::bigint, 0) + coalesce((counts ->> (a.key || ':detached'))::bigint, 0)) then
    return;
  end if;
  kept := imago.find_kept(plan, keys);
  if kept <> '[]' then
    perform imago.expect_same_journal(plan, keys, journaled);
    perform imago.raise_kept(kept);
  end if;
end
$$;
comment on function imago.expect_taken_back(imago.plan, text[], jsonb, bigint, jsonb, jsonb, jsonb) is 'Raises IM061 for rows that are not gone, or not as they were. Looks row by row only where the server counts other writes than the rollback made.';

-- imago.expect_throttle
create or replace function imago.expect_throttle(max_per_second integer, ignore text[])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  unknown text;
begin
  if max_per_second < 0 then
    perform imago.raise_error('IM015', 'max_per_second', max_per_second::text, '1 or more; 0 for no limit');
  end if;
  select string_agg(coalesce(i, 'null'), ', ') into unknown
  from unnest(ignore) i where i is null or not exists (select from imago.signal s where s.name = i);
  if unknown is not null then
    perform imago.raise_error('IM015', 'ignore', unknown, (select string_agg(s.name, ', ' order by s.position) from imago.signal s));
  end if;
end
$$;
comment on function imago.expect_throttle(integer, text[]) is 'Refuses a rate below 0 and signals that there are not (IM015).';

-- imago.expect_throttle_query
create or replace function imago.expect_throttle_query(throttle_query text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  answer boolean;
begin
  if coalesce(throttle_query, '') = '' then
    return;
  end if;
  -- It runs with the rights of this function's owner, which the role that the Data API has taken on does not have.
  if not pg_catalog.pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name, current_user, 'member') then
    perform imago.raise_error('IM087', current_user);
  end if;
  begin
    execute throttle_query into strict answer;
  exception when others then
    perform imago.raise_error('IM015', 'throttle_query', format('it ends with SQLSTATE %s', sqlstate), 'SQL that answers one boolean');
  end;
end
$$;
comment on function imago.expect_throttle_query(text) is 'Tries a throttle_query, and refuses it from those who could not run it themselves (IM015, IM087).';

-- imago.expect_unreferenced
create or replace function imago.expect_unreferenced(plan imago.plan, write imago.plan_write, keys anyarray)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  targets text;
  looks text;
  referring text;
begin
  -- Materialized: what refers is looked up once for each removed row, and there is hardly ever any. With statistics from before
  -- the migration the planner takes that for so cheap that it would do it for all of them again with each row of a join.
  select string_agg(
    case cardinality(p.columns)
      when 1 then format('when exists (select from %s r where r.%I = any (array(select k.%I from removed k))) then %1$L',
        p.relation, p.columns[1], p.target_columns[1])
      else format(
        'when exists (
           with referring as materialized (select r.* from %s r where r.%I = any (array(select k.%I from removed k)))
           select from referring r join removed k on %s) then %1$L',
        p.relation, p.columns[1], p.target_columns[1],
        (select string_agg(format('r.%I = k.%I', c, p.target_columns[n]), ' and ') from unnest(p.columns) with ordinality u(c, n)))
    end, ' ') into looks
  from imago.referencing_columns(plan.name, write.relation) p
  -- Of the others remove_rows hears when their foreign keys find a row.
  where (p.pointing).id is null or plan.stage <= 0 or not imago.is_nulled(p.relation, p.columns[1], write.relation);
  if looks is null then
    return;
  end if;
  select string_agg(distinct format('k.%I', t), ', ') into targets
  from imago.referencing_columns(plan.name, write.relation) p cross join unnest(p.target_columns) t;
  execute format(
    'with removed as materialized (
       select %s from imago_undo.%I j join %s k on %s where j.entity = any %s and j.op = ''i''
     )
     select case %s end',
    targets, write.undo_table, write.relation,
    imago.each_column('k.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), imago.keys_sql(plan), looks)
  into referring using keys;
  if referring is not null then
    raise exception using errcode = '40IM1', message = 'an inserted row is referenced', table = referring;
  end if;
end
$$;
comment on function imago.expect_unreferenced(imago.plan, imago.plan_write, anyarray) is 'Raises 40IM1 when anything still refers to a row that was inserted for these entities. Their own rows are restored by then; declared columns that foreign keys null are not looked through.';

-- imago.expect_visible
create or replace function imago.expect_visible(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  hidden text := (select string_agg(h::text, ', ' order by h::text) from imago.hidden_relations(imago.find_plan(plan_name)) h);
begin
  if hidden is not null then
    perform imago.raise_error('IM078', hidden, quote_ident(current_user));
  end if;
end
$$;
comment on function imago.expect_visible(text) is 'Refuses (IM078) while row level security hides rows of a plan''s tables. What is not seen would count as moved, or as back.';

-- imago.expect_writable
create or replace function imago.expect_writable(moving boolean default true)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  reason text := imago.read_only_reason(moving);
begin
  if reason is not null then
    perform imago.raise_error('IM064', reason);
  end if;
end
$$;
comment on function imago.expect_writable(boolean) is 'For calls that have no status of their own: refuses while the database is read-only (IM064).';

-- imago.explained_by_trigger
create or replace function imago.explained_by_trigger(plan_name text, relation text, column_name text default null)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Tables reachable by triggers: those that the plan writes, then those that functions of their triggers name.
  with recursive reached as (
    select t.oid::pg_catalog.regclass as oid from imago.plan_write w cross join lateral imago.written_tables(w.relation) t(oid) where w.plan = plan_name
    union
    select c.oid
    from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal and not imago.is_ours(t.tgfoid)
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_class c on c.relkind in ('r', 'p') and p.prosrc ~* ('\m' || regexp_replace(c.relname, '\W', '.', 'g') || '\M')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname !~ '^(pg_|information_schema|imago)'
  )
  select exists (
    select from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not imago.is_ours(t.tgfoid)
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where (t.tgisinternal and column_name is null
           and exists (select from pg_catalog.pg_constraint c where c.oid = t.tgconstraint and c.conrelid = relation::pg_catalog.regclass
                       and (c.confupdtype in ('c', 'n', 'd') or c.confdeltype in ('c', 'n', 'd'))))
       or (not t.tgisinternal and (
             p.prosrc ~* ('\m' || regexp_replace((select c.relname from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass), '\W', '.', 'g') || '\M')
               and column_name is null
             or column_name is not null and r.oid in (select t from imago.written_tables(relation) t)
               and p.prosrc ~* ('\m' || regexp_replace(column_name, '\W', '.', 'g') || '\M')
             or p.prolang not in (select l.oid from pg_catalog.pg_language l where l.lanname in ('plpgsql', 'sql')))))
$$;
comment on function imago.explained_by_trigger(text, text, text) is 'Whether a trigger of the app names this table (or column), or cannot be read. Triggers are those reached from the tables that the plan writes.';

-- imago.fail_prepare
create or replace function imago.fail_prepare(plan_name text, run_id bigint, step text, failure text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.write_log(plan_name, run_id, 'error', 'prepare_failed', jsonb_build_object('step', step), null, left(failure, 5));
  if run_id is null then
    perform imago.raise_error('IM073', step, plan_name, failure);
  end if;
  perform imago.transition_run(run_id, 'fail', format('step %s of prepare failed', step), 'IM073', array[step, plan_name, failure]);
  return imago.prepare_answer(plan_name, step, 'failed');
exception when sqlstate 'IM016' or sqlstate 'IM008' then
  -- Somebody else holds the run, or has ended it.
  return imago.prepare_answer(plan_name, step, 'busy');
end
$$;
comment on function imago.fail_prepare(text, bigint, text, text) is 'What follows from a prepare step that failed, which has been taken back. The run fails with its name and SQLSTATE (IM073); without a run the call does.';

-- imago.failing_checks
create or replace function imago.failing_checks(validation_id bigint)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'name', c.name, 'severity', c.severity, 'found', i.found, 'held', imago.held_findings(c, i.found), 'keys', case when c.routine is null then to_jsonb(i.keys) else jsonb_path_query_array(i.findings, '$[0 to 9].object') end,
      'partial', not i.done or i.error is not null, 'error', i.error ->> 'code')
    || case when c.routine is null then '{}' else jsonb_build_object('hints', jsonb_path_query_array(i.findings, '$[0 to 2].hint')) end order by i.position), '[]')
  from imago.validation_check i
  join imago.plan_check c on c.id = i.plan_check
  where i.validation = validation_id and c.severity = 'error' and (i.found > 0 or i.error is not null)
$$;
comment on function imago.failing_checks(bigint) is 'The checks of severity error that have found something so far, or cannot be evaluated. Names, counts and some keys; of a check that looks, objects and hints. held: what is found of entities that somebody has taken back alone, on purpose.';

-- imago.figures
create or replace function imago.figures(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with run as (
    select r.id, r.direction, r.state
    from (select coalesce(imago.unfinished_run(figures.plan.name), imago.last_run(figures.plan.name)) as run) n, lateral (select (n.run).*) r
  ), stages as (
    select s.*, a.*, w.*, greatest(0, s.pending - f.failed - a.held) as remaining
    from imago.stage_figures(figures.plan) s
    cross join lateral imago.count_set_aside(figures.plan.name, coalesce((select r.direction from run r), 'forward'), s.stage) a
    -- What is set aside or held is still pending, as far as its rows go.
    cross join lateral imago.count_set_aside(figures.plan.name, 'forward', s.stage) f
    cross join lateral imago.entity_words(imago.plan_at_stage(figures.plan, s.stage)) w
  )
  select jsonb_build_object(
    'run', (select r.id from run r), 'direction', (select r.direction from run r), 'state', coalesce((select r.state from run r), 'none'),
    'total', sum(s.total), 'migrated', sum(s.migrated), 'pending', sum(s.pending),
    'remaining', sum(s.remaining), 'percentage', imago.percentage(sum(s.migrated)::bigint, sum(s.pending)::bigint),
    'total_is_estimate', bool_or(s.is_estimate), 'count_error', (array_agg(s.error order by s.stage) filter (where s.error is not null))[1],
    'stages', jsonb_agg(jsonb_build_object(
      'stage', s.stage, 'entity_singular', s.singular, 'entity_plural', s.plural,
      'total', s.total, 'migrated', s.migrated, 'pending', s.pending, 'failed', s.failed, 'unreachable', s.unreachable, 'held', s.held,
      'conflicts', s.conflicts, 'remaining', s.remaining, 'percentage', imago.percentage(s.migrated, s.pending),
      'total_is_estimate', s.is_estimate) order by s.stage))
    || (
      -- Rows that several entities share belong to no stage.
      select jsonb_build_object('failed', a.failed, 'unreachable', a.unreachable, 'held', a.held, 'conflicts', a.conflicts)
      from imago.count_set_aside(figures.plan.name, coalesce((select r.direction from run r), 'forward')) a)
  from stages s
$$;
comment on function imago.figures(imago.plan) is 'How far a plan is, in all and by stage. What every path tells: the functions of the API, the edge functions, the commands.';

-- imago.finalize
create or replace function imago.finalize(plan_name text, allow_data_loss boolean, dry_run boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  step imago.plan_step;
  closing boolean;
  held jsonb;
begin
  if allow_data_loss is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'allow_data_loss' end);
  end if;
  if dry_run then
    return imago.finalize_preview(plan);
  end if;
  perform imago.expect_session();
  if imago.read_only_reason() is not null and (imago.find_plan(plan_name)).finalized_at is null then
    return imago.finalize_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  perform imago.expect_visible(plan_name);
  -- One caller at a time, and the others hold nothing: what they had read would keep the step from its table.
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'finalize')) then
    return imago.finalize_answer(plan_name, null, 'busy');
  end if;
  plan := imago.find_plan(plan_name);
  step := imago.next_step(plan_name, 'finalize');
  if plan.finalized_at is not null then
    return imago.finalize_answer(plan_name, null, 'finalized');
  end if;
  held := imago.held_fields(plan);
  if held is not null then
    return imago.finalize_answer(plan_name, step.name, 'waiting') || held;
  end if;
  closing := plan.closed_at is null and imago.closes_way_back(step);
  if plan.closed_at is null then
    if plan.finalizing_at is null or closing and not imago.checked_lately(plan) then
      return imago.finalize_checks(plan);
    end if;
    perform imago.expect_finalizable(plan);
  end if;

  if not imago.lock_plan(plan_name, closing) then
    return imago.finalize_answer(plan_name, step.name, 'busy');
  end if;
  if plan.closed_at is null then
    -- A run may have begun meanwhile, and even ended.
    perform imago.expect_finalizable(plan);
    if (imago.find_plan(plan_name)).finalizing_at is null then
      return imago.finalize_answer(plan_name, step.name, 'busy');
    end if;
  end if;
  return imago.finalize_step(plan, step, closing, allow_data_loss);
end
$$;
comment on function imago.finalize(text, boolean, boolean) is 'One call''s worth of finalize: the checks, or the next step. Refuses while anything is left or in doubt. The checks come before the first step and once more before the one that closes the way back.';

-- imago.finalize_answer
create or replace function imago.finalize_answer(plan_name text, step text, state text, warnings jsonb default '[]')
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'state', case when p.finalized_at is not null then 'finalized' else state end,
    'step', step, 'step_number', (select s.number from imago.finalize_steps(p) s where s.name = step),
    'steps', (select count(*) from imago.finalize_steps(p)),
    'closed', p.closed_at is not null, 'has_more', p.finalized_at is null,
    'retry_after_ms', case state when 'busy' then 300 else 0 end, 'warnings', coalesce(warnings, '[]'))
  from imago.plan p where p.name = plan_name
$$;
comment on function imago.finalize_answer(text, text, text, jsonb) is 'The JSON that finalize_migration returns.';

-- imago.finalize_checks
create or replace function imago.finalize_checks(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  since timestamptz;
  deadline constant timestamptz := imago.call_deadline(4000);
  name constant text := case when plan.finalizing_at is null then 'checks' else 'checks once more' end;
  looked record;
  answer jsonb := '{"has_more": true, "percentage": 0}';
begin
  -- What calls of last week have found says nothing any more.
  if coalesce(plan.checking_at < clock_timestamp() - interval '5 minutes', true) then
    plan.checking_since := null;
    plan.checking_stage := null;
    plan.checking_key := null;
  end if;
  since := coalesce(plan.checking_since, clock_timestamp());
  looked := imago.find_pending(plan, deadline, coalesce(plan.checking_stage, 1), plan.checking_key);
  perform imago.expect_finalizable(plan, looked.pending);
  if clock_timestamp() < deadline then
    answer := imago.expect_clean(plan, deadline, since);
  end if;
  if not imago.lock_plan(plan.name, false) then
    return imago.finalize_answer(plan.name, name, 'busy');
  end if;
  if (answer ->> 'has_more')::boolean then
    update imago.plan p set
      checking_since = since, checking_at = clock_timestamp(), checking_stage = looked.next_stage, checking_key = looked.next_key
    where p.name = plan.name;
    return imago.finalize_answer(plan.name, name, 'checking') || jsonb_build_object('percentage', answer -> 'percentage');
  end if;
  update imago.plan p set
    checking_since = null, checking_at = null, checking_stage = null, checking_key = null,
    checked_at = clock_timestamp(), finalizing_at = coalesce(p.finalizing_at, clock_timestamp())
  where p.name = plan.name and p.closed_at is null;
  perform imago.write_log(plan.name, null, 'info', 'finalize', jsonb_build_object('step', name));
  return imago.finalize_answer(plan.name, name, 'finalizing');
end
$$;
comment on function imago.finalize_checks(imago.plan) is 'One call''s worth of what stands before finalize: looks for what is pending, then goes through the checks. Refuses as soon as it finds something (IM038).';

-- imago.finalize_obstacles
create or replace function imago.finalize_obstacles(plan imago.plan, pending text[])
returns table (kind text, reason text, remedy text)
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan.name);
begin
  if plan.prepared_at is null then
    return query select 'not_migrated',
      case when run.direction = 'rollback' then 'it was rolled back' else 'nothing has been migrated' end,
      'Call migrate_batch until has_more is false.';
    return;
  end if;
  if run.state in ('pending', 'running', 'paused') then
    return query select case run.direction when 'forward' then 'unfinished_run' else 'unfinished_rollback' end,
      format('run %s (%s) is %s', run.id, run.direction, run.state),
      case run.direction
        when 'forward' then 'Let the run end (migrate_batch until has_more is false), or cancel it with cancel_migration.'
        else 'Let the rollback end (rollback_batch until has_more is false), or cancel it with cancel_migration.' end;
  end if;
  return query
    select k.code, format('%s %s', imago.counted(finalize_obstacles.plan, count(distinct f.entity)), k.word) || imago.sample_keys_text(array_agg(distinct coalesce(f.entity, 'null')), count(distinct f.entity)), k.remedy
    from imago.failure f
    join (values
      ('failed', 'set_aside', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('too_large', 'set_aside', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('deferred', 'set_aside', 'set aside', 'Mend the cause and call retry_failed_migrations, then migrate_batch.'),
      ('unreachable', 'unreachable', 'pending, but not in the table that the plan walks',
       'Give these rows an entity that is there, or have the plan''s view pending leave them out; then call retry_failed_migrations, then migrate_batch.'),
      ('held', 'held', 'held', 'Move what was rolled back alone again with migrate_entity, or roll everything back.'),
      ('conflict', 'in_conflict', 'in conflict', 'Finish the rollback, or migrate again: migrate_batch until has_more is false.')
    ) k(kind, code, word, remedy) on k.kind = f.kind
    where f.plan = plan.name
    group by k.code, k.word, k.remedy
    order by k.code desc;
  if pending <> '{}' then
    return query select 'pending', imago.counted(finalize_obstacles.plan, cardinality(pending)) || case when cardinality(pending) = 1000 then ' or more' else '' end || ' pending'
        || imago.sample_keys_text(pending, cardinality(pending)),
      'Call migrate_batch until has_more is false.';
  end if;
end
$$;
comment on function imago.finalize_obstacles(imago.plan, text[]) is 'What speaks against finalize besides the checks, each with a code, up to three keys and what to do. An unfinished run, entities set aside, held or in conflict, and those found pending.';

-- imago.finalize_preview
create or replace function imago.finalize_preview(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.finalize_answer(plan.name, (select s.name from imago.finalize_steps(plan) s where not s.done order by s.number limit 1),
      case when plan.finalizing_at is null then 'not started' else 'finalizing' end)
    || jsonb_build_object(
      'dry_run', true,
      'list', (select jsonb_agg(to_jsonb(s) order by s.number) from imago.finalize_steps(plan) s),
      'obstacles', (
        select coalesce(jsonb_agg(to_jsonb(o)), '[]')
        from imago.find_pending(plan, imago.call_deadline(2000)) l
        cross join lateral imago.finalize_obstacles(plan, l.pending) o
        where plan.closed_at is null))
$$;
comment on function imago.finalize_preview(imago.plan) is 'What finalize would do, step by step, and what stands in its way now, but for the checks. Changes nothing.';

-- imago.finalize_step
create or replace function imago.finalize_step(plan imago.plan, step imago.plan_step, closing boolean, allow_data_loss boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  outcome jsonb := imago.attempt_step(plan, step, closing, allow_data_loss);
  name text := coalesce(step.name, 'triggers of Imago');
begin
  if outcome is null then
    return imago.finalize_answer(plan.name, name, 'busy');
  end if;
  update imago.plan p set finalized_at = clock_timestamp()
  where p.name = plan.name and p.closed_at is not null and (imago.next_step(plan.name, 'finalize')).plan is null;
  if not (outcome ->> 'has_more')::boolean or closing or outcome -> 'warnings' <> '[]' then
    perform imago.write_log(plan.name, null, 'info', 'finalize', jsonb_strip_nulls(jsonb_build_object(
      'step', name, 'closed', nullif(closing, false), 'warnings', nullif(outcome -> 'warnings', '[]'))));
  end if;
  return imago.finalize_answer(plan.name, name, case when (outcome ->> 'has_more')::boolean then 'working' else 'finalizing' end, outcome -> 'warnings')
    || jsonb_strip_nulls(jsonb_build_object('percentage', outcome -> 'percentage'));
end
$$;
comment on function imago.finalize_step(imago.plan, imago.plan_step, boolean, boolean) is 'Does one finalize step, or a call''s worth of it (state working), and writes down that it is done. After the last one the plan is finalized.';

-- imago.finalize_steps
create or replace function imago.finalize_steps(plan imago.plan)
returns table (number integer, name text, direct boolean, statement text, closes boolean, done boolean)
language sql
stable
set search_path = ''
as $$
  with own as (
    select s.position, s.name, s.direct, s.statement, imago.closes_way_back(s) as closes, s.done_at is not null as done
    from imago.plan_step s where s.plan = plan.name and s.phase = 'finalize'
  ), closing as (
    -- Only the first of them closes the way back; the others find it closed.
    select coalesce(min(o.position) filter (where o.closes), 2147483647) as position, coalesce(bool_or(o.closes), false) as own
    from own o
  ), steps as (
    select o.position, 1 as place, o.name, o.direct, o.statement, o.position = c.position as closes, o.done from own o, closing c
    union all
    select null, 0, 'checks', false, null, false, plan.finalizing_at is not null
    union all
    select c.position, 0, 'checks once more', false, null, false, plan.closed_at is not null
    from closing c where exists (select from own o where o.position < c.position)
    union all
    select c.position, 1, 'triggers of Imago', false, null, true, plan.closed_at is not null from closing c where not c.own
  )
  select row_number() over (order by s.position nulls first, s.place)::integer, s.name, s.direct, s.statement, s.closes, s.done
  from steps s
$$;
comment on function imago.finalize_steps(imago.plan) is 'All steps of finalize in order, with those that every plan has. These are the checks, once more before the way back is closed, and the removal of our triggers where no step of the plan closes it.';

-- imago.find_conflicts
create or replace function imago.find_conflicts(run imago.run, plan imago.plan, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  conflicts jsonb := '[]';
  more jsonb;
  good text[] := keys;
begin
  if run.force then
    perform imago.write_log(run.plan, run.id, 'warning', 'left_behind', jsonb_build_object('relation', l.relation, 'row_key', l.row_key), l.entity)
    from imago.lost_rows(plan, keys) l;
  else
    select coalesce(jsonb_agg(to_jsonb(e)), '[]') into conflicts
    from (select * from imago.edited_rows(plan, keys) union all select * from imago.lost_rows(plan, keys)) e;
  end if;
  more := conflicts;
  loop
    select coalesce(array_agg(k), '{}') into good from unnest(good) k
    where k not in (select c ->> 'entity' from jsonb_array_elements(more) c);
    select coalesce(jsonb_agg(to_jsonb(r)), '[]') into more from imago.referenced_rows(plan, good) r;
    exit when more = '[]';
    conflicts := conflicts || more;
  end loop;
  return conflicts;
end
$$;
comment on function imago.find_conflicts(imago.run, imago.plan, text[]) is 'What keeps entities from going back, as an array of entity, relation, row_key, reason_kind, referenced_by. An entity that stays keeps what it refers to, hence the loop.';

-- imago.find_identity
create or replace function imago.find_identity(plan_name text, relation text)
returns imago.identity
language plpgsql
stable
set search_path = ''
as $$
declare
  renamed boolean := imago.is_renamed(plan_name);
  result imago.identity;
begin
  result.writes := imago.writes_now(plan_name, renamed);
  -- Rows that several entities share are entities of their own.
  result.walks := array(
    select row(v.stage, v.key_column)::imago.identity_walk
    from (
      select 1 as stage, p.source, p.key_column from imago.plan p where p.name = plan_name
      union all
      select t.number, t.source, t.key_column from imago.plan_stage t where t.plan = plan_name
    ) w
    cross join lateral (
      select w.stage, case when renamed then imago.name_now(plan_name, w.source) else w.source end as source,
        case when renamed then imago.name_now(plan_name, w.source, w.key_column) else w.key_column end as key_column) v
    where v.source = find_identity.relation
    union all
    select row(w.stage, w.key_columns[1])::imago.identity_walk
    from unnest(result.writes) w where w.entity_column is null and w.relation = find_identity.relation);
  result.refs := array(
    select row(w.id, a.attname, k.attname)::imago.identity_reference
    from pg_catalog.pg_constraint c
    join unnest(result.writes) w on pg_catalog.to_regclass(w.relation) = c.conrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_catalog.pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
    where c.contype = 'f' and c.confupdtype = 'c' and c.conparentid = 0 and cardinality(c.conkey) = 1
      and c.confrelid = pg_catalog.to_regclass(find_identity.relation) and a.attname = any (w.columns || w.inserted_columns));
  result.columns := array(
    select distinct i.name
    from (
      select unnest(w.key_columns || w.entity_column) as name from unnest(result.writes) w where w.relation = find_identity.relation
      union all
      select w.key_column from unnest(result.walks) w
      union all
      select f.referenced from unnest(result.refs) f
    ) i
    where i.name is not null
    order by 1);
  return result;
end
$$;
comment on function imago.find_identity(text, text) is 'By what the journal of a plan knows rows of a table, entities and what refers to them, as all that is called now.';

-- imago.find_job
create or replace function imago.find_job(plan_name text, direct boolean default false)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if imago.cron_problem() is not null then
    return null;
  end if;
  return (select to_jsonb(j) from cron.job j where j.jobname = imago.job_name(plan_name, direct) and j.username = current_user);
end
$$;
comment on function imago.find_job(text, boolean) is 'The row of cron.job that drives a plan, or that runs the statement of its direct step; or null.';

-- imago.find_kept
create or replace function imago.find_kept(plan imago.plan, keys text[], removing boolean default true)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  look record;
  kept jsonb;
  result jsonb := '[]';
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null order by w.position
  loop
    for look in
      select (select u.query from imago.undo_rows(write, plan, keys) u) as journal,
        imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or ') as condition
      where write.columns <> '{}'
      union all
      select format('select i.* from imago_undo.%I i where i.entity = any ($1::%s[]) and i.op = ''i''', write.undo_table, plan.key_type), 'true'
      where write.inserts and removing
    loop
      execute format(
        'select coalesce(jsonb_agg(jsonb_build_object(''entity'', j.entity::text, ''relation'', %1$L, ''row_key'', concat_ws('','', %2$s))), ''[]'')
         from (%3$s) j join %4$s t on %5$s where %6$s',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns), look.journal, write.relation,
        imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), look.condition)
      into kept using keys;
      result := result || kept;
    end loop;
  end loop;
  return result;
end
$$;
comment on function imago.find_kept(imago.plan, text[], boolean) is 'Rows of these entities that had their turn to go back, and did not: entity, relation, row_key of each. They are still there, or not as they were before our batches. Not removing: inserted rows have their turn later.';

-- imago.find_pending
create or replace function imago.find_pending(
  plan imago.plan,
  deadline timestamptz,
  from_stage integer default 1,
  after_key text default null,
  out pending text[],
  out next_stage integer,
  out next_key text
)
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  most constant integer := 1000;
  staged imago.plan;
  keys text[];
  found_keys text[];
  size integer := 100;
  piece integer;
  began timestamptz;
  looked boolean := false;
  context text;
begin
  pending := '{}';
  next_stage := from_stage;
  next_key := after_key;
  if plan.prepared_at is null then
    return;
  end if;
  for staged in select s.* from imago.plan_stages(plan) s where s.stage >= next_stage order by s.stage loop
    if staged.stage > next_stage then
      next_stage := staged.stage;
      next_key := null;
    end if;
    loop
      began := clock_timestamp();
      piece := imago.walk_size(size, deadline - began);
      begin
        keys := imago.walk_keys(
          staged.source, staged.key_column, staged.key_type, next_key, null, piece);
        found_keys := array(
          select k from unnest(imago.pending_keys(staged, keys)) k
          where k not in (select imago.set_aside_keys(plan.name, 'forward', stage => staged.stage)));
      exception
        when query_canceled then
          if not imago.timed_out() then
            raise;
          end if;
          if not looked then
            perform imago.raise_error('IM041', 'what is pending', plan.name, '57014');
          end if;
          return;
        when others or assert_failure then
          get stacked diagnostics context = pg_exception_context;
          perform imago.raise_unreadable(plan.name, 'view ' || imago.plan_object(staged, 'pending'), sqlstate, context);
          raise;
      end;
      exit when keys is null;
      pending := pending || found_keys;
      next_key := keys[cardinality(keys)];
      if cardinality(pending) >= most or clock_timestamp() >= deadline then
        pending := pending[:most];
        return;
      end if;
      looked := true;
      size := imago.next_walk_size(piece, extract(epoch from clock_timestamp() - began) * 1000);
    end loop;
  end loop;
  next_stage := (select max(s.stage) + 1 from imago.plan_stages(plan) s);
  next_key := null;
end
$$;
comment on function imago.find_pending(imago.plan, timestamptz, integer, text, out text[], out integer, out text) is 'One call''s worth of looking for entities that are pending and not set aside, at most 1,000. Begins in from_stage behind after_key and says where it has come: the stage past the last one when it is through.';

-- imago.find_plan
create or replace function imago.find_plan(name text)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  found_plan imago.plan;
begin
  if name is null then
    perform imago.raise_error('IM004', 'plan');
  end if;
  select p.* into found_plan from imago.plan p where p.name = find_plan.name;
  if not found then
    perform imago.raise_error('IM001', name, coalesce((select string_agg(p.name, ', ' order by p.name) from imago.plan p), 'none'));
  end if;
  return found_plan;
end
$$;
comment on function imago.find_plan(text) is 'For plans: the row of the plan with this name, or IM001.

Example: select (imago.find_plan(''avatars'')).title';

-- imago.find_raiser
create or replace function imago.find_raiser(
  context text,
  sqlstate text,
  plan text default null,
  out raised_by text,
  out by_app boolean,
  out by_engine boolean
)
language plpgsql
stable
set search_path = ''
as $$
declare
  lines constant text[] := string_to_array(context, E'\n');
  frame record;
  place text;
  is_engine boolean;
  before integer := 0;
begin
  by_app := false;
  by_engine := false;
  for frame in select f.* from imago.error_frames(context, plan) f order by f.number loop
    -- What a capture trigger refuses is the doing of whoever wrote the rows.
    continue when raised_by is null and find_raiser.sqlstate = 'IM072' and frame.schema_name = 'imago_undo';
    is_engine := frame.schema_name in ('imago', 'imago_undo');
    if raised_by is null then
      by_engine := is_engine;
      -- Locks, time and room run out in the app's code as anywhere else: they are its own only where it says so itself.
      by_app := not imago.is_ours(frame.routine)
        and (frame.is_raise or left(find_raiser.sqlstate, 2) not in ('40', '53', '57') and find_raiser.sqlstate not in ('55P03', '55006'));
    end if;
    if is_engine then
      -- What a view does itself has no line of its own: the statement that reads it names it.
      raised_by := nullif(concat_ws(', called by ', raised_by, 'view ' || imago.view_in(lines[before + 1:frame.number::integer - 1], find_raiser.plan)), '');
    end if;
    exit when is_engine or length(raised_by) > 300;
    before := frame.number;
    place := format('%I.%I', frame.schema_name, frame.routine_name)
      || coalesce(case when frame.in_sql then ' statement ' else ' line ' end || frame.line, '')
      || coalesce(' (' || imago.triggers_of(frame.routine) || ')', '');
    raised_by := concat_ws(', called by ', raised_by, place);
  end loop;
end
$$;
comment on function imago.find_raiser(text, text, text, out text, out boolean, out boolean) is 'Who raised an error, by its context. Functions, lines and triggers, and the view that was read, up to the first of the engine; null where that raised it. by_app: the innermost function is the app''s, and what went wrong is its doing. by_engine: it is the engine''s.';

-- imago.find_remaining
create or replace function imago.find_remaining(run imago.run, plan imago.plan, most integer, out staged imago.plan, out keys text[], out outcome text, out error imago.attempt)
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  keys := '{}';
  for staged in select s.* from imago.begun_stages(run, plan) s loop
    keys := imago.remaining_entities(run, staged, most);
    exit when keys <> '{}';
  end loop;
  outcome := case cardinality(keys) when most then 'incomplete' else 'working' end;
  -- A view may list an entity as often as it likes.
  select coalesce(array_agg(k.key order by k.n), '{}') into keys
  from (select u.key, min(u.n) as n from unnest(keys) with ordinality u(key, n) group by u.key) k;
exception
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    outcome := 'incomplete';
  when others or assert_failure then
    get stacked diagnostics error.sqlstate = returned_sqlstate, context = pg_exception_context;
    error := imago.sort_error(error, null, context, plan.name);
    -- Over which rows the view stumbles, a walk finds out.
    outcome := case error.outcome when 'stop' then 'stop' else 'incomplete' end;
end
$$;
comment on function imago.find_remaining(imago.run, imago.plan, integer) is 'Looks for what the lanes have left: keys of the first stage that has any, and that stage. Outcome incomplete where it is most keys or more, or where looking does not fit a call or fails for some rows; stop, with the error, where it is wrong.';

-- imago.find_unreachable
create or replace function imago.find_unreachable(plan imago.plan, most integer)
returns table (stage integer, source text, entity text)
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
begin
  for staged in
    select s.* from imago.plan_stages(plan) s
    where pg_catalog.to_regclass(imago.plan_object(s, 'pending')) is not null and pg_catalog.to_regclass(s.source) is not null
  loop
    return query
      select staged.stage, staged.source, u.entity
      from jsonb_array_elements_text(imago.ask_pending(staged, format(
        'select coalesce(jsonb_agg(u.entity::text order by u.entity nulls first), ''[]'') from (
           select p.entity from (select distinct entity from %s) p
           where not exists (select from %s s where s.%I = p.entity) order by p.entity nulls first limit %s) u',
        imago.plan_object(staged, 'pending'), staged.source, staged.key_column, most))) with ordinality u(entity, n)
      order by u.n;
  end loop;
end
$$;
comment on function imago.find_unreachable(imago.plan, integer) is 'Entities that the view pending lists and the source does not have, at most so many a stage. Null stands for rows without a key. Reads all of the view.';

-- imago.find_unreached
create or replace function imago.find_unreached(plan imago.plan)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  findings jsonb;
begin
  -- Others than small ones are looked through by the end of the run, which writes down what it has found.
  if plan.closed_at is not null or plan.prepared_at is null then
    findings := '[]';
  elsif (select coalesce(sum(imago.relation_bytes(s.source)), 0) from imago.plan_stages(plan) s) <= 131072 then
    select imago.unreachable_findings(array_agg(u.source), array_agg(u.entity)) into findings
    from imago.find_unreachable(plan, 1000) u;
  else
    select imago.unreachable_findings(array_agg(s.source), array_agg(f.entity)) into findings
    from (select * from imago.failure f where f.plan = find_unreached.plan.name and f.kind = 'unreachable' order by f.id limit 1000) f
    join imago.plan_stages(find_unreached.plan) s on s.stage = f.stage;
  end if;
  return findings;
end
$$;
comment on function imago.find_unreached(imago.plan) is 'What the view pending lists and the walked table does not have, as findings of a check. At most 1,000 of a stage.';

-- imago.find_unrestored
create or replace function imago.find_unrestored(write imago.plan_write, plan imago.plan, keys text[], force boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  result jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''entity'', j.entity::text, ''relation'', %1$L, ''row_key'', concat_ws('','', %2$s))), ''[]'')
     from (%3$s) j join %4$s t on %5$s where (%6$s) and ($2 or (%7$s))',
    write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
    (select u.query from imago.undo_rows(write, plan, keys) u), write.relation,
    imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
    imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '),
    imago.each_column('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and '))
  into result using keys, force;
  return result;
end
$$;
comment on function imago.find_unrestored(imago.plan_write, imago.plan, text[], boolean) is 'Rows that hold what we wrote and should have gone back: entity, relation, row_key of each. A trigger or rule of the app kept them.';

-- imago.fingerprint
create or replace function imago.fingerprint(alias text, columns text[])
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select format('array[%s]::integer[]', (
      select string_agg(imago.fingerprint_part(alias, c), ', ' order by n) from unnest(columns) with ordinality u(c, n))));
end
$$;
comment on function imago.fingerprint(text, text[]) is 'SQL expression: the fingerprint of a row, for use where timezone and formats are fixed. One number a column, so that one that the app drops takes nothing else along.';

-- imago.fingerprint_part
create or replace function imago.fingerprint_part(alias text, name text)
returns text
language sql
immutable
set search_path = ''
as $$
  -- A column that has been dropped leaves its place empty. By bytes: a collation may take other letters for the same.
  select case name when '' then 'null' else format('pg_catalog.hashtext(%I.%I::text collate "C")', alias, name) end
$$;
comment on function imago.fingerprint_part(text, text) is 'SQL expression: what one column adds to the fingerprint of a row.';

-- imago.finish_run
create or replace function imago.finish_run(run imago.run, plan imago.plan, deadline timestamptz, attempts_left integer)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  checks imago.validation;
  remaining record;
  most constant integer := 1000;
  patience constant interval := make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0);
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}', null, null);
begin
  -- The first late lane of the stage that was begun last is the lease of the end: one caller at a time.
  select l.* into lane from imago.lane l
  where l.run = run.id and l.pass = 'late' and l.number = 1
    and l.stage = (select case run.direction when 'forward' then max(b.stage) else min(b.stage) end from imago.lane b where b.run = run.id)
  for update skip locked;
  if not found then
    result.outcome := 'busy';
    return result;
  end if;
  if not lane.done then
    -- Another caller has begun the next stage, or had the lanes walked once more, since we saw that all were done.
    return result;
  end if;
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
  end if;
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan) and clock_timestamp() < lane.waits_since + patience then
    result.outcome := 'deferred';
    return result;
  end if;
  if run.direction = 'forward' and (imago.next_stage(run, plan)).name is null then
    result.outcome := imago.build_indexes(run, lane.waits_since + 2 * patience);
    if result.outcome in ('deferred', 'built') then
      return result;
    end if;
    result.outcome := 'working';
  end if;

  -- Checks that are under way go on. What was proved before them is proved once more when they have ended.
  checks := imago.latest_end_validation(run, lane.waits_since);
  -- A rehearsal holds what it has moved: it does not ask what it has marked as too long a question.
  if imago.is_resumable(checks) is not true
     and not (lane.look_timed_out and (imago.late_walk_was_empty(lane) or current_setting('imago.dry', true) = 'on')) then
    select f.* into remaining from imago.find_remaining(run, plan, most) f;
    result.failed := imago.set_unreachable_aside(run, remaining.staged, remaining.keys);
    if result.failed > 0 then
      return result;
    end if;
    if remaining.outcome = 'incomplete' and remaining.keys = '{}' then
      update imago.lane l set look_timed_out = true
      where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
    end if;
    -- What a walk of the lanes has just left alone, another one would, too.
    if remaining.outcome <> 'working' and not (remaining.keys <> '{}' and imago.late_walk_was_empty(lane)) then
      result.outcome := remaining.outcome;
      result.sqlstate := (remaining.error).sqlstate;
      result.error_code := (remaining.error).error_code;
      result.error_detail := (remaining.error).error_detail;
      return result;
    end if;
    if remaining.keys <> '{}' then
      result := imago.move_keys(run, remaining.staged, remaining.keys, 'finish', 1, deadline, attempts_left, lane.deferrals);
      update imago.lane l set
        moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.moved,
        deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
      where l.run = lane.run and l.stage = lane.stage and l.pass = 'late' and l.number = 1;
      result.outcome := case when result.outcome in ('done', 'time') then 'working' else result.outcome end;
      return result;
    end if;
  end if;
  result.outcome := imago.end_stage(run, plan, checks, lane.waits_since, deadline);
  return result;
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz, integer) is 'Goes on with a run whose lanes are done, up to its next stage or its end. Waits for writers in flight (bounded), builds the indexes that rollback needs, proves that nothing is left, sets aside what cannot be reached and moves what can; then begins the next stage or, after the last, goes through the checks and ends the run. Outcome built: writers wait for the end of the call; incomplete: what is left, or looking for it, does not fit a call; timeout: the checks go on with the next call.';

-- imago.first_size
create or replace function imago.first_size(lane imago.lane, out batch_size integer, out entity_ms numeric, out entity_wal numeric)
returns record
language sql
stable
set search_path = ''
as $$
  select l.batch_size, l.entity_ms, l.entity_wal from imago.lane l
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.processed > 0
  order by l.updated_at desc limit 1
$$;
comment on function imago.first_size(imago.lane) is 'What the lane that was worked last has come to: size of a sub-batch, and milliseconds and write-ahead log an entity.';

-- imago.fit_print
create or replace function imago.fit_print(print integer[], columns text[])
returns integer[]
language sql
immutable
set search_path = ''
as $$
  select array_agg(case when c <> '' then print[n] end order by n) from unnest(columns) with ordinality u(c, n)
$$;
comment on function imago.fit_print(integer[], text[]) is 'A fingerprint without the columns that have been dropped since it was taken.';

-- imago.fitting_size
create or replace function imago.fitting_size(lane imago.lane, deadline timestamptz, is_quiet boolean)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_ms numeric := 1000 * extract(epoch from deadline - clock_timestamp());
begin
  if lane.entity_ms is null or lane.entity_ms <= 0 then
    return lane.batch_size;
  end if;
  if is_quiet is not true then
    left_ms := least(left_ms, imago.setting_number('hold_ms'));
  end if;
  return greatest(1, least(lane.batch_size, greatest(12, left_ms - imago.sub_batch_cost_ms()) / lane.entity_ms))::integer;
end
$$;
comment on function imago.fitting_size(imago.lane, timestamptz, boolean) is 'Size of the next sub-batch of a lane: its own, or what fits the rest of the call. Unless the tables are quiet, hold_ms.';

-- imago.fix_check
create or replace function imago.fix_check(
  run imago.run,
  plan imago.plan,
  item imago.validation_check,
  dry_run boolean,
  deadline timestamptz,
  attempts_left integer,
  out result imago.validation_check,
  out outcome text,
  out attempts integer
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan_check imago.plan_check;
  step record;
  size integer;
  context text;
  hint text;
begin
  select c.* into strict plan_check from imago.plan_check c where c.id = item.plan_check;
  plan := imago.plan_at_stage(plan, plan_check.stage);
  result := item;
  outcome := 'done';
  attempts := 0;
  while not result.done loop
    if attempts > 0 and (attempts >= attempts_left or clock_timestamp() >= deadline) then
      outcome := 'time';
      return;
    end if;
    size := imago.walk_size(result.size, deadline - clock_timestamp());
    begin
      -- A step is taken over as a whole, with what it has written, or not at all.
      select * into step from imago.fix_piece(run, plan, plan_check, result, size, dry_run, deadline, attempts_left - attempts);
      result := step.result;
      outcome := step.outcome;
      attempts := attempts + step.attempts + 1;
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        result.size := imago.size_after_timeout(size);
        outcome := 'time';
      when others or assert_failure then
        get stacked diagnostics context = pg_exception_context, hint = pg_exception_hint;
        result.error := imago.evaluation_error(plan_check, plan, sqlstate, context, sqlerrm, hint);
        result.done := true;
    end;
    if outcome <> 'done' then
      return;
    end if;
  end loop;
end
$$;
comment on function imago.fix_check(imago.run, imago.plan, imago.validation_check, boolean, timestamptz, integer, out imago.validation_check, out text, out integer) is 'The second walk of one check, piece after piece until its end or that of the call''s budget (outcome time or deferred).';

-- imago.fix_checks
create or replace function imago.fix_checks(validation imago.validation, plan imago.plan, deadline timestamptz)
returns imago.validation_check[]
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
  item imago.validation_check;
  result imago.validation_check[] := '{}';
  attempts_left integer := imago.setting_number('max_sub_batches');
  step record;
begin
  run := imago.open_fix_run(plan, validation.id);
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  for item in
    select i.* from imago.validation_check i where i.validation = fix_checks.validation.id and not i.done order by i.position
  loop
    select * into step from imago.fix_check(run, plan, item, validation.dry_run, deadline, attempts_left);
    result := result || step.result;
    attempts_left := attempts_left - step.attempts;
    exit when step.outcome <> 'done' or attempts_left <= 0 or clock_timestamp() >= deadline;
  end loop;
  perform imago.conclude_run(run);
  return result;
end
$$;
comment on function imago.fix_checks(imago.validation, imago.plan, timestamptz) is 'Fixes under a run that begins and ends with this call. Whoever asks for another run meanwhile waits, and nothing is left open by a caller that dies.';

-- imago.fix_piece
create or replace function imago.fix_piece(
  run imago.run,
  plan imago.plan,
  plan_check imago.plan_check,
  item imago.validation_check,
  size integer,
  dry_run boolean,
  deadline timestamptz,
  attempts_left integer,
  out result imago.validation_check,
  out outcome text,
  out attempts integer
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  piece record;
  entities text[] := '{}';
  first_keys text[];
  moves imago.moves;
  counted record;
  until_key text;
  started timestamptz := clock_timestamp();
begin
  result := item;
  outcome := 'done';
  attempts := 0;
  select * into piece from imago.piece_end(plan_check, item.cursor_key, size);
  until_key := piece.last_key;
  result.done := piece.last_key is null;
  if plan_check.fix is not null then
    select t.* into entities, first_keys from imago.fixable_entities(plan_check, plan, item.cursor_key, piece.last_key, dry_run) t;
  end if;
  if entities <> '{}' then
    moves := imago.move_keys(run, plan, entities, 'fix', item.fix_size, deadline, attempts_left, item.deferrals, plan_check);
    attempts := moves.attempts;
    result.fixed := result.fixed + moves.moved;
    result.fixes_failed := result.fixes_failed + moves.failed;
    result.written := imago.add_counts(result.written, moves.rows);
    result.fix_size := case moves.outcome when 'done' then least(1000, 4 * item.fix_size) else greatest(1, moves.next_size) end;
    result.deferrals := case moves.outcome when 'deferred' then item.deferrals + 1 else 0 end;
    if exists (select from imago.failure f where f.run = fix_piece.run.id and f.sqlstate = 'IM026' and f.raised_by is null and f.entity = any (entities)) then
      result.error := imago.error_json('IM026', plan_check.name);
    end if;
    if moves.outcome in ('stop', 'budget') then
      result.error := imago.error_json('IM030', plan_check.name, case moves.outcome when 'budget' then 'IM020'
        else concat_ws('.', moves.sqlstate, nullif(rtrim(moves.error_detail[2], '.'), '')) end);
      result.remaining := greatest(0, result.found - result.fixed);
      result.done := true;
      return;
    end if;
    if moves.outcome <> 'done' then
      -- All that lies before the last entity that is done belongs to entities that are.
      outcome := case moves.outcome when 'deferred' then 'deferred' else 'time' end;
      result.done := false;
      until_key := case when moves.resolved > 0 then first_keys[moves.resolved] end;
      if until_key is null then
        return;
      end if;
      piece.rows := piece.rows * moves.resolved / cardinality(entities);
    end if;
  end if;

  if not dry_run then
    select * into counted from imago.count_piece(plan_check, item.cursor_key, until_key, 0, false);
    result.remaining := result.remaining + counted.amount;
    result.facts := imago.add_counts(result.facts, counted.facts);
  end if;
  result.checked := result.checked + piece.rows;
  result.cursor_key := until_key;
  if outcome = 'done' then
    result.size := imago.next_walk_size(size, extract(epoch from clock_timestamp() - started) * 1000);
  end if;
  if result.done then
    result.total := greatest(1, result.checked);
  end if;
end
$$;
comment on function imago.fix_piece(imago.run, imago.plan, imago.plan_check, imago.validation_check, integer, boolean, timestamptz, integer, out imago.validation_check, out text, out integer) is 'Fixes what one piece of a check has found, as far as time allows, and counts what is left of it.';

-- imago.fixable_entities
create or replace function imago.fixable_entities(
  plan_check imago.plan_check,
  plan imago.plan,
  cursor_key text,
  last_key text,
  first_time_only boolean,
  out entities text[],
  out first_keys text[]
)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  query text := imago.check_sql(plan_check);
  key record := imago.walked_key(plan_check.source, plan_check.key_column);
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(e.entity::text order by e.key), ''{}''), coalesce(array_agg(e.key::text order by e.key), ''{}'')
     from (
       select distinct on (f.entity) f.entity, f.key from (%1$s) f where %2$s and f.entity is not null order by f.entity, f.key
     ) e
     where e.entity::text not in (select imago.set_aside_keys($3, ''forward'', stage => $4)) %3$s',
    query, imago.piece_range(plan_check, cursor_key, last_key),
    case when first_time_only and cursor_key is not null then format(
      'and not exists (select from (%s) p where p.entity = e.entity and p.key <= $1::%s)', query, key.type) end)
  into entities, first_keys using cursor_key, last_key, plan.name, plan.stage;
end
$$;
comment on function imago.fixable_entities(imago.plan_check, imago.plan, text, text, boolean, out text[], out text[]) is 'Entities that a piece has findings of and that are not set aside, by their first key in it. first_time_only: not those that an earlier piece had findings of.';

-- imago.fixed_formats
create or replace function imago.fixed_formats()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'''
$$;
comment on function imago.fixed_formats() is 'SQL: the set clauses of a function that takes fingerprints. These are made of a row''s text, which has to be the same everywhere.';

-- imago.follow_columns
create or replace function imago.follow_columns(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  move record;
begin
  -- Columns that the app has added since are not watched: the row did not have them when it was inserted.
  for move in select m.* from imago.schema_moves(plan_name) m where m.kind = 'dropped' and m.number > 0 loop
    update imago.plan_write w set inserted_columns = array_replace(w.inserted_columns, move.name, '')
    where w.plan = plan_name and w.relation = move.relation and w.inserts;
  end loop;
end
$$;
comment on function imago.follow_columns(text) is 'Has the fingerprints of inserted rows leave out columns that the app has dropped.';

-- imago.follow_entities
create or replace function imago.follow_entities(plan_name text, stage integer, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
as $$
declare
  write imago.plan_write;
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan_name and w.stage = follow_entities.stage and w.undo_table is not null
  loop
    execute format(
      'update imago_undo.%1$I j set entity = m.becomes::%2$s from unnest($1::text[], $2::text[]) m(was, becomes) where j.entity = m.was::%2$s',
      write.undo_table, imago.entity_type(write.undo_table))
    using was, becomes;
  end loop;
  update imago.sync_failure f set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = m.was;
  update imago.lost_row l set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where l.plan = plan_name and l.stage = follow_entities.stage and l.entity = m.was;
  update imago.stray_row s set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where s.plan = plan_name and s.stage = follow_entities.stage and s.entity = m.was;
  -- Who was set aside under a key that is another one's now is not there any more.
  delete from imago.failure f
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = any (becomes) and f.entity <> all (was);
  -- In two steps: keys may have changed places, and there is one row for each.
  update imago.failure f set entity = chr(1) || m.becomes from unnest(was, becomes) m(was, becomes)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = m.was;
  update imago.failure f set entity = substr(f.entity, 2)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = any (select chr(1) || b from unnest(becomes) b);
end
$$;
comment on function imago.follow_entities(text, integer, text[], text[]) is 'Has the journal of a stage, and who is set aside, follow entities whose keys have changed.';

-- imago.follow_keys
create or replace function imago.follow_keys(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  write imago.plan_write;
  wanted text;
begin
  for staged in select s.* from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = plan_name loop
    wanted := imago.key_type(staged.source, staged.key_column);
    continue when wanted = staged.key_type;
    for write in select w.* from imago.stage_writes(staged) w loop
      execute format('alter table imago_undo.%I alter column entity type %s using entity::text::%s', write.undo_table, wanted, wanted);
    end loop;
    if staged.stage = 1 then
      update imago.plan p set key_type = wanted where p.name = plan_name;
    else
      update imago.plan_stage t set key_type = wanted where t.plan = plan_name and t.number = staged.stage;
    end if;
  end loop;
end
$$;
comment on function imago.follow_keys(text) is 'Has the journal name entities by the type that their key has now.';

-- imago.follow_label
create or replace function imago.follow_label(write imago.plan_write, name text, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  place integer := array_position(write.columns, name);
  slot integer := array_position(write.inserted_columns, name);
  is_array boolean := (
    select t.typcategory = 'A' from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = write.relation::pg_catalog.regclass and a.attname = follow_label.name);
  image text;
begin
  -- All labels at once: two may have changed places.
  foreach image in array array(
    select i from unnest(array['before_' || place, 'after_' || place, 'key_' || array_position(write.key_columns, name)]) i where i is not null)
  loop
    execute format(
      'update imago_undo.%1$I set %2$I = imago.relabel(%2$I, $1, $2, $3) where imago.relabel(%2$I, $1, $2, $3) <> %2$I', write.undo_table, image)
    using was, becomes, is_array;
  end loop;
  if image is null then
    execute format(
      'update imago_undo.%I set side = side || jsonb_build_object($4, jsonb_build_array(
         imago.relabel(side -> $4 ->> 0, $1, $2, $3), imago.relabel(side -> $4 ->> 1, $1, $2, $3))) where side ? $4', write.undo_table)
    using was, becomes, is_array, name;
  end if;
  if slot is not null and is_array then
    -- What was written is told by the row as it is, unless somebody has edited it.
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = pg_catalog.hashtext(t.%3$I::text collate "C") from %4$s t
       where j.op = ''i'' and %5$s and j.print[%2$s] = pg_catalog.hashtext(imago.relabel(t.%3$I::text, $2, $1, true) collate "C")',
      write.undo_table, slot, name, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    using was, becomes;
  elsif slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = r.is_now
       from (select pg_catalog.hashtext(w collate "C") as was, pg_catalog.hashtext(b collate "C") as is_now from unnest($1::text[], $2::text[]) u(w, b)) r
       where j.op = ''i'' and j.print[%2$s] = r.was', write.undo_table, slot)
    using was, becomes;
  end if;
end
$$;
comment on function imago.follow_label(imago.plan_write, text, text[], text[]) is 'Has the journal of a declared write follow labels of an enum that were renamed, in arrays and keys, too.';

-- imago.follow_moves
create or replace function imago.follow_moves(plan_name text, relation text, identity imago.identity, moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  walk imago.identity_walk;
  reference imago.identity_reference;
  write imago.plan_write;
  changed record;
begin
  if exists (select from jsonb_array_elements(moves) m where m -> 0 = 'null' or m -> 1 = 'null') then
    -- A trigger of the app has kept some of the rows from coming to another partition: which, nobody says.
    perform imago.lose_rows(plan_name, relation, null, null);
    return;
  end if;
  foreach walk in array identity.walks loop
    select c.* into changed from imago.changed_values(moves, array_position(identity.columns, walk.key_column)) c;
    if changed.was <> '{}' then
      perform imago.follow_entities(plan_name, walk.stage, changed.was, changed.becomes);
      for write in
        select w.* from unnest(identity.writes) w
        where w.stage = walk.stage and w.entity_column is not null and w.relation <> follow_moves.relation
          and not exists (
            select from unnest(identity.refs) f where f.write_id = w.id and f.name = w.entity_column and f.referenced = walk.key_column)
      loop
        perform imago.note_strays(write, changed.becomes);
      end loop;
    end if;
  end loop;
  foreach reference in array identity.refs loop
    select c.* into changed from imago.changed_values(moves, array_position(identity.columns, reference.referenced)) c;
    if changed.was <> '{}' then
      select w.* into write from unnest(identity.writes) w where w.id = reference.write_id;
      perform imago.follow_references(write, reference.name, changed.was, changed.becomes);
    end if;
  end loop;
  for write in select w.* from unnest(identity.writes) w where w.relation = follow_moves.relation loop
    perform imago.follow_row_keys(write, identity.columns, moves);
  end loop;
end
$$;
comment on function imago.follow_moves(text, text, imago.identity, jsonb) is 'Has the journal of a plan follow rows whose identity the app has changed (moves_query). First the entities, then what refers to them, then the keys of the rows.';

-- imago.follow_references
create or replace function imago.follow_references(write imago.plan_write, name text, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  place integer := array_position(write.columns, name);
  slot integer := case when write.inserts then array_position(write.inserted_columns, name) end;
  kept text := (select c.kept from imago.journal_columns(write.relation, array[name]) c);
begin
  -- Both what the row held before and what was written name somebody who is called otherwise now.
  if place is not null then
    execute format(
      'update imago_undo.%1$I j set
         before_%2$s = coalesce((select m.becomes::%3$s from unnest($1::text[], $2::text[]) m(was, becomes) where m.was::%3$s = j.before_%2$s), j.before_%2$s),
         after_%2$s = coalesce((select m.becomes::%3$s from unnest($1::text[], $2::text[]) m(was, becomes) where m.was::%3$s = j.after_%2$s), j.after_%2$s)
       where j.before_%2$s = any ($1::%3$s[]) or j.after_%2$s = any ($1::%3$s[])',
      write.undo_table, place, kept)
    using was, becomes;
  end if;
  if slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = r.is_now
       from (select pg_catalog.hashtext(w collate "C") as was, pg_catalog.hashtext(b collate "C") as is_now from unnest($1::text[], $2::text[]) u(w, b)) r
       where j.op = ''i'' and j.print[%2$s] = r.was%3$s',
      write.undo_table, slot,
      -- The entities have followed already.
      case when name = write.entity_column then format(' and j.entity = any ($2::%s[])', imago.entity_type(write.undo_table)) else '' end)
    using was, becomes;
  end if;
end
$$;
comment on function imago.follow_references(imago.plan_write, text, text[], text[]) is 'Has the journal of a declared write follow keys that a column of it refers to (on update cascade). It may be read as a whole for that.';

-- imago.follow_rename
create or replace function imago.follow_rename(plan_name text, move_relation text, name text, becomes text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  parts text[] := case when name is null then parse_ident(becomes) end;
  write imago.plan_write;
begin
  if name is null then
    update imago.plan p set source_schema = parts[1], source_table = parts[2] where p.name = plan_name and p.source = move_relation;
    update imago.plan_stage t set source_schema = parts[1], source_table = parts[2] where t.plan = plan_name and t.source = move_relation;
    update imago.plan_write w set points_to = (
      select jsonb_object_agg(e.key, case when e.value = move_relation then becomes else e.value end) from jsonb_each_text(w.points_to) e)
    where w.plan = plan_name and exists (select from jsonb_each_text(w.points_to) e where e.value = move_relation);
    update imago.plan_write w set relation = becomes where w.plan = plan_name and w.relation = move_relation;
    update imago.plan_sync s set relation = becomes where s.plan = plan_name and s.relation = move_relation;
    update imago.lost_row l set relation = becomes where l.plan = plan_name and l.relation = move_relation;
    update imago.stray_row l set relation = becomes where l.plan = plan_name and l.relation = move_relation;
    update imago.declared d set relation = becomes where d.plan = plan_name and d.relation = move_relation;
    return;
  end if;
  update imago.plan p set key_column = becomes where p.name = plan_name and p.source = move_relation and p.key_column = follow_rename.name;
  update imago.plan_stage t set key_column = becomes where t.plan = plan_name and t.source = move_relation and t.key_column = follow_rename.name;
  update imago.plan_write w set
    entity_column = case w.entity_column when follow_rename.name then becomes else w.entity_column end,
    columns = array_replace(w.columns, follow_rename.name, becomes),
    key_columns = array_replace(w.key_columns, follow_rename.name, becomes),
    inserted_columns = array_replace(w.inserted_columns, follow_rename.name, becomes),
    left_unindexed = array_replace(w.left_unindexed, follow_rename.name, becomes),
    points_to = case when w.points_to ? follow_rename.name
      then w.points_to - follow_rename.name || jsonb_build_object(becomes, w.points_to -> follow_rename.name) else w.points_to end
  where w.plan = plan_name and w.relation = move_relation
  returning * into write;
  update imago.plan_sync s set
    entity_column = case s.entity_column when follow_rename.name then becomes else s.entity_column end,
    columns = array_replace(s.columns, follow_rename.name, becomes)
  where s.plan = plan_name and s.relation = move_relation;
  if write.undo_table is not null then
    execute format(
      'update imago_undo.%I set side = side - $1 || jsonb_build_object($2, side -> $1) where side ? $1', write.undo_table)
    using follow_rename.name, becomes;
  end if;
end
$$;
comment on function imago.follow_rename(text, text, text, text) is 'Has a plan''s declaration and journal follow a table (name null) or column that was renamed. A table may have moved to another schema.';

-- imago.follow_row_keys
create or replace function imago.follow_row_keys(write imago.plan_write, names text[], moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
-- By the entity, which the journal has an index on.
set enable_seqscan = off
as $$
declare
  moved jsonb := imago.resolve_moves(write, names, moves);
  entity_type text := imago.entity_type(write.undo_table);
  source constant text :=
    'jsonb_to_recordset($1) m(old_key text[], new_key text[], old_entity text, new_entity text, is_certain boolean, is_there boolean, entities text[])';
  same_entity text := format('j.entity = any (m.entities::%s[])', entity_type);
  same_key text := imago.each_column('j.key_%1$s = m.%%1$s[%1$s]::%4$s', write.relation, write.key_columns, ' and ');
  new_key text := imago.each_column('key_%1$s = m.new_key[%1$s]::%4$s', write.relation, write.key_columns);
  goes_along boolean := imago.goes_along(write);
  lost text[];
begin
  -- Rows that only were given to somebody, and stay with the entity that they were written for, keep their journal as it is.
  if not goes_along and not moved @? '$[*] ? (@.old_key != @.new_key)' then
    perform imago.follow_strays(write, moved);
    return;
  end if;
  execute format(
    'update imago_undo.%1$I j set %2$s%3$s from %4$s where m.is_certain and j.op <> ''i'' and %5$s and %6$s',
    write.undo_table, new_key,
    case when goes_along
      then format(', entity = case when j.entity = m.old_entity::%1$s then coalesce(m.new_entity::%1$s, j.entity) else j.entity end', entity_type) else '' end,
    source, same_entity, format(same_key, 'old_key'))
  using moved;
  if write.inserts then
    -- What a row is called is no edit of it.
    execute format(
      'update imago_undo.%1$I j set %2$s%3$s from %4$s where m.is_certain and m.old_key <> m.new_key and j.op = ''i'' and %5$s and %6$s',
      write.undo_table, new_key,
      (select string_agg(format(
         ', print[%1$s] = case when j.print[%1$s] = pg_catalog.hashtext(m.old_key[%2$s] collate "C") then pg_catalog.hashtext(m.new_key[%2$s] collate "C") else j.print[%1$s] end',
         array_position(write.inserted_columns, c), n), '') from unnest(write.key_columns) with ordinality u(c, n)),
      source, same_entity, format(same_key, 'old_key'))
    using moved;
  end if;
  perform imago.follow_strays(write, moved);
  -- Where it cannot be told which row is which, what a rollback does not find has not been deleted for certain.
  if not moved @? '$[*] ? (@.is_certain == false || @.is_there == false)' then
    return;
  end if;
  execute format(
    'select array_agg(distinct j.entity::text) from %s join imago_undo.%I j on %s where not (m.is_certain and m.is_there)',
    source, write.undo_table, same_entity)
  into lost using moved;
  if lost is not null then
    perform imago.lose_rows(write.plan, write.relation, lost, null);
  end if;
end
$$;
comment on function imago.follow_row_keys(imago.plan_write, text[], jsonb) is 'Has the journal of a declared write follow rows that got another key, or were given to another entity (resolve_moves).';

-- imago.follow_schema
create or replace function imago.follow_schema(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  moves jsonb;
  move record;
  lost jsonb;
begin
  if not exists (select from imago.plan p where p.name = plan_name and p.prepared_at is not null and p.closed_at is null) then
    return;
  end if;
  if not exists (select from imago.schema_moves(plan_name))
     and not exists (select from imago.declared d where d.plan = plan_name and d.noted_in <> 'imago.declared'::pg_catalog.regclass) then
    return;
  end if;
  -- One caller follows, the others find it done.
  perform from imago.plan p where p.name = plan_name for update;
  select jsonb_agg(to_jsonb(m)) into moves from imago.schema_moves(plan_name) m;
  select jsonb_agg(to_jsonb(l)) into lost from imago.lost_columns(plan_name) l;
  perform imago.raise_lost(plan_name, lost);
  perform imago.expect_small_journal(plan_name, moves);

  for move in select m.* from imago.schema_moves(plan_name) m where m.number = 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, null, move.becomes);
  end loop;
  perform imago.follow_columns(plan_name);
  -- By way of names that nobody has: two columns may have changed places.
  for move in select m.* from imago.schema_moves(plan_name) m where m.number > 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, move.name, chr(1) || move.number);
  end loop;
  for move in select m.* from imago.schema_moves(plan_name) m where m.number > 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, chr(1) || move.number, move.becomes);
  end loop;
  perform imago.follow_values(plan_name);
  perform imago.follow_keys(plan_name);
  perform imago.note_schema(plan_name);
  perform imago.rebuild_functions(plan_name);
  perform imago.write_log(plan_name, null, 'warning', 'schema_moved', jsonb_build_object('followed', coalesce(moves, '[]')));
end
$$;
comment on function imago.follow_schema(text) is 'Before anything is moved: has the plan follow what the catalogue proves to be the same under another name or type. What is not there any more is an error (IM076).';

-- imago.follow_strays
create or replace function imago.follow_strays(write imago.plan_write, moved jsonb)
returns void
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
as $$
declare
  declared text := (select w.relation from imago.plan_write w where w.id = write.id);
begin
  update imago.stray_row s set row_key = m.new_key
  from jsonb_to_recordset(moved) m(old_key text[], new_key text[])
  where s.plan = write.plan and s.relation = declared and s.row_key = m.old_key and m.old_key <> m.new_key;
  if write.entity_column is null then
    return;
  end if;
  execute format(
    'insert into imago.stray_row (plan, relation, stage, row_key, entity)
     select distinct $2, $3, $4, m.new_key, o.entity
     from jsonb_to_recordset($1) m(new_key text[], old_entity text, new_entity text)
     cross join lateral (select coalesce(m.old_entity, $5) as entity) o
     join imago_undo.%1$I j on j.entity = o.entity::%2$s and %3$s
     where m.old_entity is distinct from m.new_entity
       and not exists (
         select from imago.stray_row s
         where s.plan = $2 and s.relation = $3 and s.row_key = m.new_key and s.entity = o.entity)',
    write.undo_table, imago.entity_type(write.undo_table),
    imago.each_column('j.key_%1$s = m.new_key[%1$s]::%4$s', write.relation, write.key_columns, ' and '))
  using moved, write.plan, declared, write.stage, imago.nobody(write.undo_table);
end
$$;
comment on function imago.follow_strays(imago.plan_write, jsonb) is 'Notes journaled rows that no longer belong to the entity that their journal names, and has the notes follow their keys.';

-- imago.follow_type
create or replace function imago.follow_type(write imago.plan_write, name text, was text)
returns text
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  kept text := (select c.kept from imago.journal_columns(write.relation, array[name]) c);
  wanted text := (select c.type from imago.journal_columns(write.relation, array[name]) c);
  slot integer := array_position(write.inserted_columns, name);
  place text;
  amount bigint;
begin
  foreach place in array array(
    select p from (
      select 'key_' || array_position(write.key_columns, name)
      union all select k || array_position(write.columns, name) from unnest(array['before_', 'after_']) k
    ) u(p) where p is not null)
  loop
    -- What comes out must be what went in: a cast may cut off.
    execute format(
      'select count(*) from imago_undo.%1$I where %2$I is not null and %2$I::text is distinct from %2$I::text::%3$s::%4$s::text',
      write.undo_table, place, wanted, (
        select pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a
        where a.attrelid = format('imago_undo.%I', write.undo_table)::pg_catalog.regclass and a.attname = place))
    into amount;
    if amount > 0 then
      return format('%s journaled values are not the same as %s', amount, wanted);
    end if;
    execute format('alter table imago_undo.%1$I alter column %2$I type %3$s using %2$I::text::%3$s', write.undo_table, place, kept);
  end loop;
  if slot is not null then
    execute format(
      'update imago_undo.%1$I j set print[%2$s] = pg_catalog.hashtext(t.%3$I::text collate "C") from %4$s t
       where j.op = ''i'' and %5$s and j.print[%2$s] is not distinct from pg_catalog.hashtext(t.%3$I::%6$s::text collate "C")
         and t.%3$I::text is distinct from t.%3$I::%6$s::text',
      write.undo_table, slot, name, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), was);
  end if;
  return null;
exception when data_exception or syntax_error_or_access_rule_violation or integrity_constraint_violation then
  return format('journaled values cannot be cast to %s', wanted);
end
$$;
comment on function imago.follow_type(imago.plan_write, text, text) is 'Has the journal of a declared write follow a column whose type has changed. Every journaled value has to cast to the new one and back; else it says what does not.';

-- imago.follow_values
create or replace function imago.follow_values(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  move record;
  problem text;
begin
  for move in
    select v.*, w as write
    from (
      select m.relation, coalesce(r.becomes, m.name) as name, m.kind, max(m.was) as was, max(m.becomes) as becomes,
        array_agg(m.was) as labels, array_agg(m.becomes) as new_labels
      from imago.schema_moves(plan_name) m
      left join imago.schema_moves(plan_name) r on r.relation = m.relation and r.number = m.number and r.kind = 'renamed'
      where m.kind in ('retyped', 'label')
      group by 1, 2, 3
    ) v
    join imago.plan_write w on w.plan = plan_name and w.relation = v.relation and w.undo_table is not null
    -- Keys first: by them the rows of the other columns are found.
    order by v.name = any (w.key_columns) desc
  loop
    if move.kind = 'label' then
      perform imago.follow_label(move.write, move.name, move.labels, move.new_labels);
      continue;
    end if;
    problem := imago.follow_type(move.write, move.name, move.was);
    if problem is not null then
      perform imago.raise_lost(plan_name, jsonb_build_array(jsonb_build_object(
        'relation', move.relation, 'name', move.name, 'reason', format('is of type %s now; %s', move.becomes, problem))));
    end if;
  end loop;
end
$$;
comment on function imago.follow_values(text) is 'Has the journal of a plan follow new types of its columns and new labels of enums. Where a value does not cast, that is an error (IM076).';

-- imago.followed_plan
create or replace function imago.followed_plan(plan_name text)
returns imago.plan
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_visible(plan_name);
  perform imago.follow_schema(plan_name);
  return imago.find_plan(plan_name);
end
$$;
comment on function imago.followed_plan(text) is 'The plan of this name, its declaration being true of the tables as they are now (IM076).';

-- imago.forget_added
create or replace function imago.forget_added(plan text, object text, column_name text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  address record;
  described record;
  note imago.added;
begin
  select * into address from imago.object_address(object, column_name);
  select a.* into note from imago.added_object(address.class, address.id, address.column_number) a where a.plan = forget_added.plan;
  if not found then
    return;
  end if;
  if note.comment = coalesce(pg_catalog.col_description(address.id, nullif(address.column_number, 0)),
                             pg_catalog.obj_description(address.id, address.class::pg_catalog.regclass::text)) then
    select * into described from pg_catalog.pg_identify_object(address.class, address.id, address.column_number);
    execute format('comment on %s %s is null', case address.column_number when 0 then described.type else 'column' end, described.identity);
  end if;
  delete from imago.added a where a.type = note.type and a.names = note.names and a.arguments = note.arguments;
end
$$;
comment on function imago.forget_added(text, text, text) is 'For plans: what the plan has added is the app''s own from now on, or is about to be dropped. For finalize and clean-up steps. Takes our comment away, unless somebody has changed it.

Example: select imago.forget_added(''avatars'', ''public.posts'', ''avatar_id'')';

-- imago.forget_entity
create or replace function imago.forget_entity(plan_name text, entity text, stage integer default null, still_there boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  staged imago.plan;
  is_there boolean;
  rows jsonb := '{}';
  left_rows jsonb := '{}';
  failures bigint;
  lines bigint;
begin
  if entity is null or still_there is null then
    perform imago.raise_error('IM004', case when entity is null then 'entity' else 'still_there' end);
  end if;
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  plan := imago.followed_plan(plan_name);
  if plan.key_type is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  staged := imago.entity_stage(plan, entity, stage, true);
  if staged.name is null then
    staged := imago.plan_at_stage(plan, coalesce(stage, 1));
  end if;
  begin
    entity := imago.canonical_key(staged, entity);
    -- Whoever moves it just now is waited for.
    is_there := imago.lock_entities(staged, array[entity]) <> '{}';
  exception
    when data_exception then
      perform imago.raise_error('IM013', plan_name, (imago.entity_words(staged)).singular);
    when lock_not_available or deadlock_detected then
      perform imago.raise_error('IM025', (imago.entity_words(staged)).singular);
  end;
  if is_there and not still_there and plan.closed_at is null and imago.has_journal(staged, entity) then
    perform imago.raise_error('IM074', plan_name, (imago.entity_words(staged)).singular);
  end if;

  select f.rows, f.left_rows into rows, left_rows from imago.forget_values(staged, entity) f;
  delete from imago.failure f
  where f.plan = plan_name and f.stage = staged.stage and f.entity = forget_entity.entity and (not is_there or f.direction = 'rollback');
  get diagnostics failures = row_count;
  if is_there and rows <> '{}' then
    insert into imago.failure (plan, stage, entity, kind, direction, reason)
    values (plan_name, staged.stage, entity, 'forgotten', 'rollback', 'its journal was deleted');
  end if;
  delete from imago.sync_failure f where f.plan = plan_name and f.stage = staged.stage and f.entity = forget_entity.entity;
  delete from imago.lost_row l where l.plan = plan_name and l.stage = staged.stage and l.entity = forget_entity.entity;
  delete from imago.stray_row l where l.plan = plan_name and l.stage = staged.stage and l.entity = forget_entity.entity;
  lines := imago.forget_key(plan_name, staged.stage, entity);
  perform imago.write_log(plan_name, null, 'info', 'forgotten',
    jsonb_build_object('rows', rows, 'failures', failures, 'still_there', is_there) || imago.stage_label(staged.stage));
  return jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'still_there', is_there, 'forgotten', rows, 'left', left_rows,
    'failures', failures, 'log_lines', lines, 'way_back', false,
    'meaning', case
      when is_there and rows <> '{}' then 'It stays migrated: no rollback takes it back, whole or in part.'
      when left_rows <> '{}' then 'No rollback takes it back. Rows that the migration inserted for it are still there (left); they are the app''s own now.'
      else 'No rollback takes it back.' end) || imago.stage_label(staged.stage);
end
$$;
comment on function imago.forget_entity(text, text, integer, boolean) is 'Deletes what the journal holds of one entity, and its key from failures and log. Refuses while the entity is there and could go back (IM074), unless told.';

-- imago.forget_journal
create or replace function imago.forget_journal(plan imago.plan, keys anyarray, journaled jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  amount bigint;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null loop
    execute format('delete from imago_undo.%I j where j.entity = any %s', write.undo_table, imago.keys_sql(plan)) using keys;
    get diagnostics amount = row_count;
    if amount <> (journaled ->> write.relation)::bigint then
      perform imago.raise_changed_journal(write.relation);
    end if;
  end loop;
  delete from imago.lost_row l where l.plan = plan.name and l.stage = plan.stage and l.entity = any (keys::text[]);
  delete from imago.stray_row l where l.plan = plan.name and l.stage = plan.stage and l.entity = any (keys::text[]);
end
$$;
comment on function imago.forget_journal(imago.plan, anyarray, jsonb) is 'Deletes the journal of entities that are back: as many rows as were read of it.';

-- imago.forget_key
create or replace function imago.forget_key(plan_name text, stage integer, entity text)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  lines bigint;
begin
  update imago.log l set
    entity = nullif(l.entity, forget_key.entity),
    detail = case when l.entity = forget_key.entity then l.detail - 'row_key' else l.detail end
      || case when l.detail ? 'keys' then jsonb_build_object('keys', (l.detail -> 'keys') - forget_key.entity) else '{}' end
  where l.plan = plan_name and coalesce((l.detail ->> 'stage')::integer, 1) = forget_key.stage
    and (l.entity = forget_key.entity or jsonb_typeof(l.detail -> 'keys') = 'array' and l.detail -> 'keys' ? forget_key.entity);
  get diagnostics lines = row_count;
  update imago.validation_check c set keys = array_remove(c.keys, forget_key.entity)
  from imago.validation v
  where v.id = c.validation and v.plan = plan_name and forget_key.entity = any (c.keys);
  return lines;
end
$$;
comment on function imago.forget_key(text, integer, text) is 'Takes the key of an entity out of the log and of the findings of validations; how many lines of the log named it. Those lines stay, with codes and counts.';

-- imago.forget_moved
create or replace function imago.forget_moved(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  aside text[];
  pending text[];
  bare boolean;
begin
  select array_agg(f.entity) filter (where f.entity is not null), bool_or(f.entity is null) into aside, bare
  from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.stage = plan.stage and f.kind in ('failed', 'deferred', 'too_large', 'unreachable');
  if run.direction = 'forward' and aside is not null then
    -- Asked once, not for each of them.
    pending := imago.pending_or_unknown(plan, aside);
    perform imago.clear_set_aside(run, array(select k from unnest(aside) k where k <> all (pending)), plan.stage);
  end if;
  if run.direction = 'forward' and bare and not imago.lists_null(plan) then
    delete from imago.failure f where f.plan = run.plan and f.direction = run.direction and f.stage = plan.stage and f.entity is null;
  end if;
end
$$;
comment on function imago.forget_moved(imago.run, imago.plan) is 'Forgets set-aside entities of a stage that are not pending any more. They were moved by the caller that had them locked, or deleted by the app.';

-- imago.forget_values
create or replace function imago.forget_values(plan imago.plan, entity text, out rows jsonb, out left_rows jsonb)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  amount bigint;
begin
  rows := '{}';
  left_rows := '{}';
  for write in select w.* from imago.stage_writes(plan) w loop
    if write.inserts and pg_catalog.to_regclass(write.relation) is not null then
      execute format(
        'select count(*) from imago_undo.%I j join %s t on %s where j.entity = $1::%s and j.op = ''i''',
        write.undo_table, write.relation, imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), plan.key_type)
      into amount using entity;
      left_rows := left_rows || case when amount > 0 then jsonb_build_object(write.relation, amount) else '{}' end;
    end if;
    execute format('delete from imago_undo.%I j where j.entity = $1::%s', write.undo_table, plan.key_type) using entity;
    get diagnostics amount = row_count;
    rows := rows || case when amount > 0 then jsonb_build_object(write.relation, amount) else '{}' end;
  end loop;
end
$$;
comment on function imago.forget_values(imago.plan, text, out jsonb, out jsonb) is 'Deletes the journal of one entity for good. Says how many rows, by relation, and how many that the migration inserted are still in the app''s tables.';

-- imago.forward_run
create or replace function imago.forward_run(
  plan_name text,
  backup boolean,
  max_failures text,
  on_failure text,
  driven bigint default null
)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if driven is not null then
    run := imago.expect_run(plan_name, 'forward', driven);
    perform imago.expect_same_settings(run, backup, max_failures, on_failure);
    return run;
  end if;
  run := imago.unfinished_run(plan_name);
  if run.id is null then
    run := imago.last_run(plan_name);
    if run.direction = 'forward' and run.state = 'failed' and run.error_code <> 'set_aside' then
      return run;
    end if;
    -- A call that began before the run ended was meant for that run.
    if run.direction = 'forward' and run.state = 'succeeded' and run.finished_at > statement_timestamp() then
      return run;
    end if;
    run := imago.open_run(plan_name, 'forward', coalesce(backup, true), max_failures, coalesce(on_failure, 'stop'));
  end if;
  if run.direction = 'rollback' then
    if run.caused_by is null then
      perform imago.raise_error('IM017', plan_name, plan_name);
    end if;
    return run;
  end if;
  perform imago.expect_same_settings(run, backup, max_failures, on_failure);
  return run;
end
$$;
comment on function imago.forward_run(text, boolean, text, text, bigint) is 'The run that a forward call works on. The one that it says it drives, the unfinished one, a failed one that waits for a decision, the rollback that an error budget started, or a new one.';

-- imago.found_problems
create or replace function imago.found_problems(plan imago.plan)
returns setof imago.problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  own_function constant text := format('%I.preflight()', plan.name);
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    return query select * from imago.relation_problems(staged.source);
    return query select * from imago.column_problems(staged.source, staged.key_column, '{uuid,integer,bigint,text,"character varying"}');
    return query select * from imago.unique_problems(staged.source, staged.key_column, 'The walk needs a unique index on the key.');
    return query
      select 'error', 'nullable', format('%s.%I', staged.source, staged.key_column), 'may be null',
        format('Rows without a key cannot be walked. Give each one, then: alter table %s alter column %I set not null;', staged.source, staged.key_column)
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
      where a.attrelid = pg_catalog.to_regclass(staged.source) and a.attname = staged.key_column and not a.attnotnull;
  end loop;
  return query select * from imago.declared_problems(plan);
  return query select * from imago.rule_problems(plan);
  return query
    select 'error', 'hidden_rows', h::text, format('row level security hides rows of it from %s', current_user),
      case when pg_catalog.pg_has_role(c.relowner, 'usage') then format('alter table %s no force row level security;', h) else imago.owner_remedy(c.relowner) end
    from imago.hidden_relations(plan) h join pg_catalog.pg_class c on c.oid = h;
  return query
    select p.*
    from jsonb_populate_recordset(null::imago.problem, imago.ask_plan(plan.name, 'function ' || own_function,
      format('select coalesce(jsonb_agg(to_jsonb(p)), ''[]'') from (select severity, kind, object, message, hint from %s) p', own_function))) p;
  return query
    select 'error', 'schema_moved', l.relation || coalesce('.' || quote_ident(l.name), ''), l.reason,
      format('Put it back; or: select give_up_column(%s);', concat_ws(', ', quote_literal(plan.name), quote_literal(l.relation), quote_literal(l.name)))
    from imago.lost_columns(plan.name) l;
  return query
    select 'warning', 'no_counts', 'track_counts', 'is off: what is written cannot be compared with what is journaled',
      'As a superuser: alter system set track_counts = on; select pg_reload_conf();'
    where current_setting('track_counts') = 'off';
  return query select * from imago.overlap_problems(plan);
  return query select * from imago.guard_triggers(plan);
  return query select * from imago.moved_columns(plan);
  return query select * from imago.open_schemas();
  return query
    select 'warning', 'no_index', u.object,
      format('has no index; %s%s',
        case when not u.is_left then 'its table is too large for the run to build one, and ' end,
        case when u.is_small then 'rollback reads the whole table for each entity' else 'rollback is refused until it has one' end),
      u.statement
    from imago.missing_indexes(plan.name) u where u.is_left or u.bytes >= imago.setting_number('index_mb') * 1024 * 1024;
end
$$;
comment on function imago.found_problems(imago.plan) is 'What speaks against starting, as it is found: some of it twice.';

-- imago.give_app_path
create or replace function imago.give_app_path(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  path text := imago.app_search_path();
  routine pg_catalog.regprocedure;
begin
  -- A clause of the function's own is stronger than what its caller sets. Names in it are qualified, so it does the same under any path.
  for routine in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(plan_name))
      and (p.proname ~ '^apply(_[0-9]+)?$' or p.proname in (select c.fix from imago.plan_check c where c.plan = plan_name))
      and exists (select from unnest(p.proconfig) c where c = 'search_path=""')
      and p.prosrc !~ '\mapp_search_path\M'
  loop
    execute format('alter function %s set search_path to %s', routine, path);
  end loop;
end
$$;
comment on function imago.give_app_path(text) is 'Has apply and the fixes of a plan run under the app''s search_path where they declare an empty one. Triggers of the app then find their names.';

-- imago.give_up_column
create or replace function imago.give_up_column(plan_name text, relation text, column_name text default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  write imago.plan_write;
  place integer;
  whole boolean;
  lost record;
  result jsonb;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  perform from imago.plan p where p.name = plan_name for update;
  select w.* into write from imago.plan_write w
  where w.plan = plan_name and w.relation = give_up_column.relation and w.undo_table is not null;
  if write.id is null or not exists (
    select from imago.schema_moves(plan_name) m
    where m.relation = give_up_column.relation and m.kind in ('dropped', 'replaced', 'retyped') and coalesce(m.name, '') = coalesce(give_up_column.column_name, '')) then
    perform imago.raise_error('IM077', plan_name, concat_ws('.', relation, quote_ident(column_name)));
  end if;
  place := array_position(write.columns, column_name);
  whole := column_name is null or column_name = any (write.key_columns) or column_name is not distinct from write.entity_column
    or cardinality(write.columns) = 1 and not write.inserts;
  if whole and exists (select from imago.plan_stages(plan) s where s.source = give_up_column.relation) and column_name is null
     or not whole and place is null then
    perform imago.raise_error('IM077', plan_name, concat_ws('.', relation, quote_ident(column_name)));
  end if;

  execute format(
    'select count(*) as rows, count(distinct j.entity) as entities, (array_agg(distinct j.entity::text))[:10] as keys
     from imago_undo.%I j where %s', write.undo_table,
    case when whole then 'true' else format('j.op = ''u'' and j.before_%1$s::text is distinct from j.after_%1$s::text', place) end)
  into lost;
  if whole then
    perform imago.drop_write(write);
  else
    perform imago.drop_journaled(write, place);
  end if;
  perform imago.rebuild_functions(plan_name);
  result := jsonb_build_object('plan', plan_name, 'relation', relation, 'column', column_name, 'rows', lost.rows, 'entities', lost.entities);
  perform imago.write_log(plan_name, null, 'warning', 'given_up', result || jsonb_build_object('keys', coalesce(to_jsonb(lost.keys), '[]')));
  return result || jsonb_build_object('keys', coalesce(to_jsonb(lost.keys), '[]'), 'whole_table', whole,
    'meaning', format('Rollback puts back all but %s: %s rows of %s entities.', concat_ws('.', relation, quote_ident(case when not whole then column_name end)), lost.rows, lost.entities));
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', plan_name);
end
$$;
comment on function imago.give_up_column(text, text, text) is 'Takes a column, or a table, that is lost (IM076) out of what a plan journals. All else can go back then; says what cannot.';

-- imago.given
create or replace function imago.given(name text, value text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if value is null then
    perform imago.raise_error('IM004', name);
  end if;
  return value;
end
$$;
comment on function imago.given(text, text) is 'The value of an argument, or IM004 where it is null.';

-- imago.glance
create or replace function imago.glance(plan imago.plan, run imago.run)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor;
  last_look constant text := nullif(current_setting('imago.glanced', true), '');
begin
  select g.* into governor from imago.governor g where g.plan = plan.name;
  governor.plan := plan.name;
  governor.share := case when governor.share = 0 and governor.held_until > clock_timestamp() then 0 else 1 end;
  if last_look is null or last_look::timestamptz <= clock_timestamp() - make_interval(secs => imago.setting_number('look_ms') / 1000.0) then
    perform set_config('imago.glanced', clock_timestamp()::text, true);
    if exists (select from unnest(imago.take_readings(plan, run, governor)) r where r.level >= 2 and r.signal not in ('hours', 'waiters')) then
      governor.share := 0;
    end if;
  end if;
  return governor;
end
$$;
comment on function imago.glance(imago.plan, imago.run) is 'A look that writes nothing, for what is taken back: others would wait for its rows to the end.';

-- imago.goes_along
create or replace function imago.goes_along(write imago.plan_write)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from imago.plan_sync s
    where s.plan = write.plan and s.installed_at is not null and 'update' = any (s.events)
      and imago.name_now(s.plan, s.relation) = write.relation
      and (s.columns is null
           or exists (select from unnest(s.columns) c where imago.name_now(s.plan, s.relation, c) = write.entity_column)))
$$;
comment on function imago.goes_along(imago.plan_write) is 'Whether a row that the app gives to another entity goes back with that one. It does where a sync follows that; else it goes back with the entity that it was written for.';

-- imago.goes_on_at_once
create or replace function imago.goes_on_at_once(answer jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select coalesce((answer ->> 'has_more')::boolean, false)
    and coalesce(answer ->> 'status', answer ->> 'state') in ('working', 'deferred', 'preparing', 'checking', 'finalizing')
$$;
comment on function imago.goes_on_at_once(jsonb) is 'Whether there is more to do and nothing is held or wrong: whoever drives a plan calls again as soon as the answer says.';

-- imago.governor_reasons
create or replace function imago.governor_reasons(plan text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'signal', r.signal, 'name', nullif(r.name, ''), 'level', r.level,
    'value', round(r.value), 'limit', round(r.capacity), 'sqlstate', r.sqlstate, 'since', r.since, 'reason', imago.reading_text(r)))
    order by r.holds desc, r.level desc, s.position), '[]')
  from imago.reading r join imago.signal s on s.name = r.signal
  where r.plan = governor_reasons.plan and r.since is not null
$$;
comment on function imago.governor_reasons(text) is 'What slows or holds the runs of a plan, or is only told, worst first.';

-- imago.grantees
create or replace function imago.grantees(relation text)
returns table (role text, bypasses boolean, reads_all boolean, writes text[])
language sql
stable
set search_path = ''
as $$
  with granted as (
    select c.relowner, a.grantee from pg_catalog.pg_class c cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = pg_catalog.to_regclass(relation)
    union
    select c.relowner, a.grantee
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute t on t.attrelid = c.oid and not t.attisdropped
    cross join lateral pg_catalog.aclexplode(t.attacl) a
    where c.oid = pg_catalog.to_regclass(relation)
  )
  select coalesce(quote_ident(r.rolname), 'public'), coalesce(r.rolbypassrls or r.rolsuper, false),
    pg_catalog.has_table_privilege(coalesce(r.rolname, 'public'), pg_catalog.to_regclass(relation), 'select'),
    array(select w from unnest(array['insert', 'update', 'delete']) w
          where pg_catalog.has_table_privilege(coalesce(r.rolname, 'public'), pg_catalog.to_regclass(relation), w))
  from granted g
  left join pg_catalog.pg_roles r on r.oid = g.grantee
  where g.grantee <> g.relowner
  order by 1
$$;
comment on function imago.grantees(text) is 'Who has been granted something on a table or its columns, but for its owner. Of each: whether they bypass row security, read all columns, and what they may write.';

-- imago.guard_triggers
create or replace function imago.guard_triggers(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with written as (
    select pg_catalog.to_regclass(w.relation) as relation, w.inserts, w.columns
    from imago.plan_write w
    where w.plan = guard_triggers.plan.name
    union all
    -- A plan may declare its writes only when it is prepared.
    select r, true, null from imago.plan_relations(plan) r
    where not exists (select from imago.plan_write w where w.plan = guard_triggers.plan.name)
  )
  select distinct 'warning', 'guard_trigger', format('trigger %I on %s', t.tgname, t.tgrelid::pg_catalog.regclass),
    format('may refuse what the plan writes: %I.%I raises exceptions', n.nspname, p.proname),
    format('A dry run shows whom it refuses. Imago writes as role %1$I: have it let %1$I pass (current_user).', current_user)
  from written w
  cross join lateral imago.written_tables(w.relation::text) r
  join pg_catalog.pg_trigger t on t.tgrelid = r and t.tgparentid = 0
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where not t.tgisinternal and t.tgenabled <> 'D' and not imago.is_ours(t.tgfoid)
    -- Inserts and, in a rollback, deletes of rows that it inserts; updates of columns that it writes.
    and (w.inserts and t.tgtype & 12 > 0
      or t.tgtype & 16 > 0 and w.columns is distinct from '{}' and (w.columns is null or cardinality(t.tgattr::smallint[]) = 0 or exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr::smallint[]) and a.attname = any (w.columns))))
    and regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g') ~* '\m(raise(?!\s+(debug|log|info|notice|warning)\M)|assert)\M'
$$;
comment on function imago.guard_triggers(imago.plan) is 'Triggers of the app that raise exceptions and fire on what the plan writes or takes back: they may refuse single rows.';

-- imago.guide_names
create or replace function imago.guide_names(answer jsonb, guide_pending text default 'pending_users')
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select answer || coalesce(jsonb_object_agg(n.guide, answer -> n.neutral), '{}')
  from (values
    ('total', 'total_users'), ('migrated', 'migrated_users'), ('failed', 'failed_users'), ('held', 'held_users'),
    ('percentage', 'migration_completion_percentage'), ('per_minute', 'users_per_minute'),
    ('per_minute_now', 'users_per_minute_now'), ('per_minute_average', 'users_per_minute_average'),
    ('average_ms_per_entity', 'average_ms_per_user'), ('wal_bytes_per_entity', 'wal_bytes_per_user'),
    -- The guide has two names for it.
    ('pending', guide_pending)
  ) n(neutral, guide)
  where answer ? n.neutral
$$;
comment on function imago.guide_names(jsonb, text) is 'An answer with its figures once more under the names of the guide that Imago follows, which speaks of users.';

-- imago.hand_sides_over
create or replace function imago.hand_sides_over(plan imago.plan, keys anyarray)
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  other imago.plan_write;
  row_keys text;
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and imago.has_sides(w)
  loop
    row_keys := imago.each_column('u.key_%1$s', write.relation, write.key_columns);
    for other in
      select o.* from imago.plan_write o
      where o.plan <> plan.name and imago.has_sides(o)
        and pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(write.relation)
    loop
      -- What goes back behind batches of the other plan takes along what these did.
      execute format(
        'with mine as (
           select %1$s, s.key as name, min(u.batch) as first_batch, max(u.batch) as last_batch, array_agg(s.value ->> 1) as images,
             (array_agg(s.value ->> 0 order by u.batch))[1] as was, (array_agg(s.value ->> 1 order by u.batch desc))[1] as became
           from imago_undo.%2$I u cross join lateral jsonb_each(u.side) s
           where u.entity = any %3$s and u.op = ''u'' and u.side is not null
           group by %1$s, s.key
         ), handed as (
           select o.ctid as place, jsonb_object_agg(u.name, jsonb_build_array(u.was, case when n.goes_back then to_jsonb(u.was) else o.side -> u.name -> 1 end)) as side
           from mine u
           join %4$s t on %5$s
           cross join lateral (values %9$s) v(name, image)
           cross join lateral (select v.image is not distinct from u.became as goes_back) n
           join imago_undo.%6$I o on o.entity = %7$s and %8$s and o.op = ''u'' and o.side ? u.name
             and (n.goes_back and o.batch between u.first_batch and u.last_batch or not n.goes_back and o.side -> u.name ->> 0 = any (u.images))
           where v.name = u.name
           group by o.ctid
         )
         update imago_undo.%6$I o set side = o.side || h.side from handed h where o.ctid = h.place',
        row_keys, write.undo_table, imago.keys_sql(plan), write.relation,
        imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
        other.undo_table, imago.owner_sql(other, 't'),
        imago.each_column('o.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '),
        coalesce(imago.side_values(write, '(%1$L, t.%1$I::text)'), '(null, null)'))
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.hand_sides_over(imago.plan, anyarray) is 'Before entities go back: what another plan found as we left it, beside what it declares, it has found as we did.';

-- imago.handle_failed_batch
create or replace function imago.handle_failed_batch(
  run imago.run,
  plan imago.plan,
  segment text[],
  attempt imago.attempt,
  had_whole_call boolean,
  may_defer boolean,
  out outcome text,
  out aside text[]
)
language plpgsql
volatile
set search_path = ''
as $$
begin
  aside := '{}';
  if attempt.outcome = 'stop' then
    outcome := 'stop';
    return;
  end if;
  if attempt.outcome = 'timeout' then
    -- Only an entity that had the whole call for itself is too large; any other timeout asks for a smaller batch.
    if had_whole_call and cardinality(segment) = 1 then
      aside := segment;
      perform imago.set_aside(run, segment[1], 'too_large', attempt.sqlstate, reason => 'its rows do not fit one call',
        stage => plan.stage, raised_by => attempt.raised_by);
    end if;
    outcome := case when imago.over_budget(run) then 'budget' else 'timeout' end;
    return;
  end if;
  if attempt.outcome = 'blocked' and may_defer then
    outcome := 'deferred';
    return;
  end if;

  begin
    aside := imago.bad_keys(plan, segment, attempt);
  exception when lock_not_available or deadlock_detected then
    -- The whole table is locked: no entity is to blame.
    outcome := 'deferred';
    return;
  end;
  -- Where the view writes a key in another way (case, blanks), none of the segment is named: it is looked for by halves.
  if not aside && segment then
    aside := case cardinality(segment) when 1 then segment || aside else '{}' end;
  end if;
  if aside = '{}' then
    perform imago.write_log(run.plan, run.id, 'debug', 'halved', jsonb_build_object('size', cardinality(segment)), null, attempt.sqlstate);
    outcome := 'halve';
    return;
  end if;
  perform imago.set_aside(run, k, case attempt.outcome when 'blocked' then 'deferred' else 'failed' end,
                          attempt.sqlstate, attempt.constraint_name, attempt.table_name, attempt.column_name, stage => plan.stage, raised_by => attempt.raised_by)
  from unnest(aside) k;
  outcome := case when imago.over_budget(run) then 'budget' else 'again' end;
end
$$;
comment on function imago.handle_failed_batch(imago.run, imago.plan, text[], imago.attempt, boolean, boolean, out text, out text[]) is 'What follows from a sub-batch that failed, sorted by its SQLSTATE. stop, timeout, deferred and budget end the call, halve cuts it in two, again tries it without the entities that were set aside (aside).';

-- imago.handle_failed_sync
create or replace function imago.handle_failed_sync(
  plan_name text,
  sync_position integer,
  entities text[],
  sqlstate text,
  constraint_name text,
  table_name text,
  context text,
  began timestamptz
)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  raiser record := imago.find_raiser(context, handle_failed_sync.sqlstate, plan_name);
  waited_for boolean;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  if handle_failed_sync.sqlstate in ('55P03', '40P01') and not raiser.by_app then
    -- Who waits for us, having written the side that we write to, is likely who we wait for. One of the two has to let go before
    -- deadlock_timeout (1 s), or the detector picks a write of the app. The one that goes forward does, at once: the new side and
    -- its journal are as they were then, and the other one, which follows both, writes over both sides.
    waited_for := not sync."strict"
      and exists (
        select from imago.plan_sync o
        where o.plan = sync.plan and o.stage = sync.stage and o.direction <> sync.direction and (sync.direction = 'forward' or o."strict"))
      and exists (
        select from pg_catalog.pg_locks l
        join pg_catalog.pg_locks h on h.pid = l.pid and h.granted and h.locktype = 'relation' and h.mode = 'RowExclusiveLock'
        join imago.plan_sync o on o.relation::pg_catalog.regclass = h.relation
        where not l.granted and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid))
          and o.plan = sync.plan and o.stage = sync.stage and o.direction <> sync.direction
          -- A batch gives way by itself, sooner than we need to.
          and not exists (
            select from pg_catalog.pg_locks m
            where m.pid = l.pid and m.relation = 'imago.run'::pg_catalog.regclass and m.mode = 'RowShareLock'));
    if not waited_for and clock_timestamp() < began + make_interval(secs => imago.setting_number('sync_wait_ms') / 1000.0) then
      return 'again';
    end if;
  end if;
  -- Unquoted, PL/pgSQL takes it for its own word.
  if sync."strict" then
    return 'raise';
  end if;
  perform imago.note_failed_sync(sync, entities);
  perform imago.write_log(plan_name, null, 'warning', 'sync_failed',
    jsonb_strip_nulls(jsonb_build_object(
      'sync', sync.name, 'relation', sync.relation, 'constraint', nullif(constraint_name, ''), 'table', nullif(table_name, ''),
      'raised_by', raiser.raised_by, 'entities', cardinality(entities), 'keys', case when cardinality(entities) > 1 then entities[:10] end)) || imago.stage_label(sync.stage),
    case when cardinality(entities) = 1 then entities[1] end, handle_failed_sync.sqlstate);
  return 'leave';
end
$$;
comment on function imago.handle_failed_sync(text, integer, text[], text, text, text, text, timestamptz) is 'What becomes of a sync that failed: again, raise or leave. again: a lock, for a while; raise: it is strict; leave: it is logged, and the entity stays pending.';

-- imago.has_app_trigger
create or replace function imago.has_app_trigger(relation oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
declare
  written oid;
begin
  -- A partition may have triggers of its own, which fire for statements that name its parent. One after the other: joined, the
  -- planner would rather ask of every trigger there is whose it is.
  for written in
    select has_app_trigger.relation
    union all
    select p.relid from pg_catalog.pg_partition_tree(has_app_trigger.relation) p where p.level > 0
  loop
    if exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid = written and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 = 16
        and not imago.is_ours(t.tgfoid)) then
      return true;
    end if;
  end loop;
  return false;
end
$$;
comment on function imago.has_app_trigger(oid) is 'Whether a trigger of the app fires when rows of this table, or of a partition of it, are updated.';

-- imago.has_journal
create or replace function imago.has_journal(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
  found_one boolean := false;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)', write.undo_table, plan.key_type)
      into found_one using entity;
    exit when found_one;
  end loop;
  return found_one;
end
$$;
comment on function imago.has_journal(imago.plan, text) is 'Whether anything was written for this entity that has not been taken back.';

-- imago.has_no_entities
create or replace function imago.has_no_entities(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  filled boolean;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    if pg_catalog.to_regclass(staged.source) is null then
      return false;
    end if;
    execute format('select exists (select from %s)', staged.source) into filled;
    if filled then
      return false;
    end if;
  end loop;
  return true;
end
$$;
comment on function imago.has_no_entities(imago.plan) is 'Whether all tables that a plan walks are there and empty.';

-- imago.has_sides
create or replace function imago.has_sides(write imago.plan_write)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    -- The index on rows that have some is one block long as long as there is none: no query has to look.
    select coalesce(pg_catalog.pg_relation_size(pg_catalog.to_regclass('imago_undo.' || quote_ident(left(write.undo_table, 50) || '_side_idx')))
      > pg_catalog.current_setting('block_size')::bigint, false));
end
$$;
comment on function imago.has_sides(imago.plan_write) is 'Whether there may be journaled changes beside what a write declares.';

-- imago.health_json
create or replace function imago.health_json(plan text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'share', g.share, 'held_since', g.held_since, 'waited_ms', floor(1000 * extract(epoch from clock_timestamp() - g.held_since)),
    'reasons', imago.governor_reasons(g.plan))
  from imago.governor g where g.plan = health_json.plan
$$;
comment on function imago.health_json(text) is 'The field health of answers: the share of the time that runs of a plan work, and why it is not all of it.';

-- imago.held_answer
create or replace function imago.held_answer(run imago.run, governor imago.governor, others_write boolean, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  return imago.work_answer(run.id, 'waiting', '{}', '{}', started) || jsonb_build_object(
    'others_write', others_write,
    'reason', coalesce(imago.hold_reason(run.plan), imago.rate_text(run.plan)),
    'retry_after_ms', case governor.share when 0 then imago.wait_ms(governor) else imago.next_look_ms(governor) end,
    'health', imago.health_json(run.plan));
end
$$;
comment on function imago.held_answer(imago.run, imago.governor, boolean, timestamptz) is 'What a call returns whose run is held by the governor: nothing was locked and nothing was done.';

-- imago.held_fields
create or replace function imago.held_fields(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor := imago.look(plan, imago.unfinished_run(plan.name));
begin
  -- Hours are for what moves entities: who looks, or finalizes, does so by hand.
  if governor.share > 0 or not exists (select from imago.reading r where r.plan = plan.name and r.holds and r.signal <> 'hours') then
    return null;
  end if;
  return jsonb_build_object(
    'has_more', true, 'reason', imago.hold_reason(plan.name), 'retry_after_ms', imago.wait_ms(governor), 'health', imago.health_json(plan.name));
end
$$;
comment on function imago.held_fields(imago.plan) is 'Fields of an answer with the status waiting, for calls that are no batches; null where the server''s health allows them.';

-- imago.held_findings
create or replace function imago.held_findings(plan_check imago.plan_check, amount bigint)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
  held text[];
begin
  select array_agg(f.entity) into held
  from imago.failure f
  where f.plan = plan_check.plan and f.stage = plan_check.stage and f.kind = 'held';
  if amount = 0 or held is null or plan_check.source is null then
    return 0;
  end if;
  select p.* into plan from imago.plan p where p.name = plan_check.plan;
  return least(held_findings.amount, (imago.still_to_move(imago.plan_at_stage(plan, plan_check.stage), plan_check, held)).amount);
exception when others or assert_failure then
  -- What cannot be asked excuses nothing.
  return 0;
end
$$;
comment on function imago.held_findings(imago.plan_check, bigint) is 'How much of what a check has found is of entities that are held.';

-- imago.hidden_relations
create or replace function imago.hidden_relations(plan imago.plan)
returns setof regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select t
  from (
    select r from imago.plan_relations(plan) r
    union
    select pg_catalog.to_regclass(format('imago_undo.%I', w.undo_table)) from imago.plan_write w
    where w.plan = hidden_relations.plan.name and w.undo_table is not null
  ) t(t)
  where pg_catalog.row_security_active(t);
end
$$;
comment on function imago.hidden_relations(imago.plan) is 'Tables of a plan, undo tables included, whose row level security hides rows from the role that Imago runs as.';

-- imago.hold_reason
create or replace function imago.hold_reason(plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    (select string_agg(imago.reading_text(r), '; ' order by s.position)
     from imago.reading r join imago.signal s on s.name = r.signal where r.plan = g.plan and r.holds and r.since is not null),
    'what held the run has passed; it goes on in a moment')
  from imago.governor g where g.plan = hold_reason.plan and g.share = 0
$$;
comment on function imago.hold_reason(text) is 'Why the runs of a plan are held, in words; null where they are not.';

-- imago.hours_text
create or replace function imago.hours_text(throttle imago.throttle)
returns text
language sql
immutable
set search_path = ''
as $$
  select left(throttle.hours_from::text, 5) || '-' || left(throttle.hours_to::text, 5) || ' ' || throttle.time_zone
$$;
comment on function imago.hours_text(imago.throttle) is 'The hours of a throttle as throttle_migration takes them: 22:00-06:00 Europe/Berlin.';

-- imago.identity_changed
create or replace function imago.identity_changed(relation text, columns text[], may_change_places boolean)
returns text
language sql
stable
set search_path = ''
as $$
  -- One look at each row; a join would be planned for as few rows as the first statement had. The old and the new rows come in the
  -- same order, so with its place in it a value that changed places with another one changes the sum.
  select case when may_change_places
    then format('(select %1$s from (select *, pg_catalog.row_number() over () as imago_place from old_rows) r)'
      ' is distinct from (select %1$s from (select *, pg_catalog.row_number() over () as imago_place from new_rows) r)', c.sums)
    else format('(select %1$s from old_rows r) is distinct from (select %1$s from new_rows r)', c.sums) end
  from (
    select string_agg(
      format('pg_catalog.sum(coalesce(pg_catalog.%s, %s), 0))',
        format(case
            when j.type = 'uuid' then 'uuid_hash_extended(r.%I'
            when j.type in ('smallint', 'integer', 'bigint') then 'hashint8extended(r.%I'
            else 'hashtextextended(r.%I::text collate "C"' end, j.name),
        case when may_change_places then format('r.imago_place * %s + %s', cardinality(columns), j.ordinal) else j.ordinal::text end), ' + ') as sums
    from imago.journal_columns(relation, columns) j
  ) c
$$;
comment on function imago.identity_changed(text, text[], boolean) is 'SQL for a trigger: whether one of these columns differs between the old and the new rows.';

-- imago.index_of
create or replace function imago.index_of(relation text, name text)
returns pg_catalog.regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select i.indexrelid::pg_catalog.regclass
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = pg_catalog.to_regclass(relation) and a.attname = name and i.indisvalid
    limit 1);
end
$$;
comment on function imago.index_of(text, text) is 'An index that finds rows by a column, null if there is none.';

-- imago.index_wait_ms
create or replace function imago.index_wait_ms(relation text)
returns integer
language sql
stable
set search_path = ''
as $$
  -- Autovacuum gives way only to who has waited for deadlock_timeout.
  select imago.setting_number('ddl_lock_timeout_ms') + case when exists (
    select from pg_catalog.pg_locks l
    where l.relation = index_wait_ms.relation::pg_catalog.regclass and l.mode = 'ShareUpdateExclusiveLock' and l.granted
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()))
    then (select s.setting::integer from pg_catalog.pg_settings s where s.name = 'deadlock_timeout') else 0 end
$$;
comment on function imago.index_wait_ms(text) is 'How long to wait for the lock under which an index is built, while new writers stand in line behind us. Longer only where autovacuum may be in the way, which then ends.';

-- imago.index_warning
create or replace function imago.index_warning(relation text, name text, purpose text)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select 'warning', 'no_index', format('%s.%I', relation, name), format('has no index; %s reads the whole table for each batch', purpose),
    format('create index concurrently on %s (%I);', relation, name)
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = name and imago.index_of(relation, name) is null;
end
$$;
comment on function imago.index_warning(text, text, text) is 'For plans: a warning of preflight(), with the statement to run, where a column that the plan searches has no index.

Example: select * from imago.index_warning(''public.posts'', ''user_id'', ''the walk'')';

-- imago.install_capture
create or replace function imago.install_capture(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  written pg_catalog.regclass;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  perform imago.build_capture(write);
  for written in select w from imago.written_tables(write.relation) w loop
    execute format(
      'create or replace trigger %I before insert or update on %s for each statement
         when (current_setting(''imago.batch'', true) <> '''') execute function imago.drop_forged_batch()',
      imago.trigger_name(write.plan, 'guard'), written);
    if write.inserts then
      execute format(
        'create or replace trigger %I after insert on %s referencing new table as new_rows for each statement
           when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()',
        imago.trigger_name(write.plan, 'insert'), written, write.undo_table || '_insert');
    end if;
    -- Without a when: foreign keys that null columns of this table when an inserted row goes are statements of their own, one for
    -- each such row, and each would prepare the condition anew, which takes longer than they do.
    execute format(
      'create or replace trigger %I after update on %s referencing old table as old_rows new table as new_rows for each statement
         execute function imago_undo.%I()', imago.trigger_name(write.plan, 'update'), written, write.undo_table || '_update');
  end loop;

  if imago.needs_keep(write) then
    perform imago.install_keep(write_id);
  end if;
  update imago.plan_write w set captured_at = clock_timestamp() where w.id = write_id;
end
$$;
comment on function imago.install_capture(integer) is 'Installs the guard, capture, note and keep triggers of one declared write on its relation and the partitions of it.';

-- imago.install_keep
create or replace function imago.install_keep(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  batches text;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  -- An underscore stands for any letter: another plan's name may differ in no more than that.
  batches := replace(write.plan, '_', '\_');
  perform imago.build_note(write);
  perform imago.build_keep(write);
  execute format(
    'create or replace trigger %I before update on %s for each row
       when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
    imago.trigger_name(write.plan, 'note'), write.relation, batches || ':%:side', write.undo_table || '_note');
  execute format(
    'create or replace trigger %I before update on %s for each row
       when (current_setting(''imago.batch'', true) like %L) execute function imago_undo.%I()',
    imago.trigger_name(write.plan, 'keep'), write.relation,
    -- On the way there it has nothing to do where there is no updated_at-like column.
    batches || case when write.columns = '{}' or imago.touch_columns(write.relation, write.columns) = '{}' then ':%:%' else ':%' end,
    write.undo_table || '_keep');
  update imago.plan_write w set kept_at = clock_timestamp() where w.id = write_id;
end
$$;
comment on function imago.install_keep(integer) is 'Installs the note and keep triggers of one declared write. Only where triggers of the app fire: a row trigger has each row locked once more before it is updated.';

-- imago.install_sync
create or replace function imago.install_sync(plan_name text, sync_position integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  plan imago.plan;
  missing text;
  routine text;
  event text;
  written pg_catalog.regclass;
begin
  select s.* into strict sync from imago.plan_sync s where s.plan = plan_name and s.position = sync_position;
  plan := imago.plan_at_stage(imago.find_plan(plan_name), sync.stage);
  if pg_catalog.to_regclass(sync.relation) is null then
    perform imago.raise_error('IM035', sync.name, plan_name, sync.relation);
  end if;
  if imago.primary_key(sync.relation) is null then
    perform imago.raise_error('IM035', sync.name, plan_name, 'the primary key of ' || sync.relation);
  end if;
  select string_agg(format('%s.%I', sync.relation, c), ', ') into missing
  from unnest(sync.entity_column || coalesce(sync.columns, '{}')) c
  where c <> all (imago.stored_columns(sync.relation));
  if missing is not null then
    perform imago.raise_error('IM035', sync.name, plan_name, missing);
  end if;

  routine := imago.build_sync(sync, plan, imago.sync_ending(sync));
  for written in select w from imago.written_tables(sync.relation) w loop
    foreach event in array sync.events loop
      execute format(
        'create or replace trigger %I after %s on %s referencing %s for each statement execute function imago_undo.%I()',
        imago.trigger_name(sync.plan, 'sync', sync.position || '_' || event), event, written,
        case event when 'insert' then 'new table as imago_new' when 'delete' then 'old table as imago_old'
          else 'old table as imago_old new table as imago_new' end,
        routine);
    end loop;
  end loop;
  update imago.plan_sync s set installed_at = clock_timestamp() where s.plan = plan_name and s.position = sync_position;
end
$$;
comment on function imago.install_sync(text, integer) is 'Installs the triggers of one sync on its relation and its partitions. Before, it looks whether the statement fits the tables.';

-- imago.install_undo
create or replace function imago.install_undo(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  plan imago.plan;
  undo text;
  definition text;
  entity_type text;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  select p.* into strict plan from imago.plan p where p.name = write.plan;
  undo := coalesce(write.undo_table, imago.undo_table_name(write.plan, write.relation));

  if write.entity_column is null then
    if cardinality(imago.primary_key(write.relation)) > 1 then
      perform imago.raise_error('IM044', write.relation, write.plan);
    end if;
    write.stage := (
      select - count(*) from imago.plan_write o where o.plan = write.plan and o.entity_column is null and o.position > write.position);
  end if;
  update imago.plan_write w set
    undo_table = undo,
    stage = write.stage,
    key_columns = imago.primary_key(write.relation),
    inserted_columns = case when write.inserts then imago.stored_columns(write.relation) else '{}' end
  where w.id = write_id
  returning * into write;

  select string_agg(format('key_%s %s %s not null', c.ordinal, c.kept, c.collated), ', ') into definition
  from imago.journal_columns(write.relation, write.key_columns) c;
  definition := definition || coalesce((
    select ', ' || string_agg(format('before_%1$s %2$s, after_%1$s %2$s', c.ordinal, c.kept), ', ')
    from imago.journal_columns(write.relation, write.columns) c), '');
  plan := imago.plan_at_stage(plan, write.stage);
  select concat_ws(' ', c.kept, c.collated) into entity_type
  from imago.journal_columns(plan.source, array[plan.key_column]) c;

  execute format(
    'create table if not exists imago_undo.%I (batch bigint not null, entity %s not null, op "char" not null, %s, print integer[], side jsonb)',
    undo, entity_type, definition);
  execute format('create index if not exists %I on imago_undo.%I (entity)', left(undo, 50) || '_entity_idx', undo);
  execute format('create index if not exists %I on imago_undo.%I (batch)%s', left(undo, 50) || '_nested_idx', undo,
    -- Of another stage's batch all rows are settled, not only nested ones.
    case when write.stage = 1 and not exists (select from imago.plan_stage t where t.plan = write.plan) then ' where op = ''n''' else '' end);
  execute format('create index if not exists %I on imago_undo.%I (entity) where side is not null', left(undo, 50) || '_side_idx', undo);
  perform imago.close_table(format('imago_undo.%I', undo));
  -- Where a publication has all tables, rows of one without an identity could not be deleted. A key of its own would cost each batch more.
  execute format('alter table imago_undo.%I replica identity full', undo);
  execute format('create sequence if not exists imago_undo.%I', undo || '_seen');
  execute format('comment on sequence imago_undo.%I is %L', undo || '_seen', format(
    'Rows of %s that the capture triggers of plan %s have seen. A sequence, for what a rollback does not turn back: neither does it the server''s count of rows written.',
    write.relation, write.plan));
  execute format('revoke all on imago_undo.%I, imago_undo.%I from public', undo, undo || '_seen');
  execute format('comment on table imago_undo.%I is %L', undo, format(
    'Undo journal of plan %s for %s: before and after of %s. Rows whose op is i were inserted, print being their fingerprint; u were updated. side: undeclared columns that triggers of the app changed, before and after.',
    write.plan, write.relation, coalesce(nullif(array_to_string(write.columns, ', '), ''), 'inserted rows')));
end
$$;
comment on function imago.install_undo(integer) is 'Generates the typed undo table of one declared write.';

-- imago.install_walk
create or replace function imago.install_walk(plan_name text, stage integer, relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  written pg_catalog.regclass;
begin
  perform imago.build_walk(plan_name, stage, relation);
  for written in select w from imago.written_tables(relation) w loop
    execute format(
      'create or replace trigger %I after update on %s referencing old table as old_rows new table as new_rows for each statement
         execute function imago_undo.%I()', imago.trigger_name(plan_name, 'walk'), written, imago.walk_function(plan_name, stage));
  end loop;
end
$$;
comment on function imago.install_walk(text, integer, text) is 'Installs the trigger by which the journal follows keys of a table that a plan walks and does not write.';

-- imago.installation
create or replace function imago.installation()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'version', imago.setting_number('engine_version'),
    'server_version', current_setting('server_version'),
    'plans', (select coalesce(jsonb_agg(p.name order by p.name), '[]') from imago.plan p),
    'schemas', imago.installed_schemas(),
    'functions', imago.installed_functions(),
    'relations', imago.installed_relations(),
    'triggers', imago.installed_triggers(),
    'undo', imago.installed_undo(),
    'cron', imago.installed_jobs(),
    'governor', imago.installed_governor())
$$;
comment on function imago.installation() is 'What is installed, for the doctor: functions, tables, triggers, undo tables and jobs, each with its owner and state.';

-- imago.installed_functions
create or replace function imago.installed_functions()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with ours as (
    select p.*, n.nspname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any ((select imago.own_schemas())::name[]) and n.nspname <> 'imago_undo'
       or p.oid = any ((select imago.public_functions())::oid[])
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('%I.%I', p.nspname, p.proname),
    'arguments', pg_catalog.oidvectortypes(p.proargtypes),
    'body', md5(p.prosrc),
    'comment', md5(pg_catalog.obj_description(p.oid, 'pg_proc')),
    'definer', p.prosecdef,
    -- A procedure that commits can have no settings: ours set the path in each transaction.
    'path_is_set', p.prokind = 'p' or coalesce(p.proconfig, '{}') @> array['search_path=""'],
    'owner', p.proowner::pg_catalog.regrole::text,
    'open_to', imago.open_to(coalesce(p.proacl, acldefault('f', p.proowner))),
    'for_service_role', has_function_privilege('service_role', p.oid, 'execute')) order by p.nspname, p.proname), '[]')
  from (
    select * from ours
    union all
    -- A second one of the same name makes the Data API refuse both, and one that somebody dropped and made again is not ours any more.
    select p.*, 'public' from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::pg_catalog.regnamespace and p.oid not in (select o.oid from ours o)
      and p.proname in (select o.proname from ours o where o.nspname = 'public')
  ) p
$$;
comment on function imago.installed_functions() is 'Our functions, and what shares a name with one in schema public. Each with fingerprints of body and comment, owner, and who may call it.';

-- imago.installed_governor
create or replace function imago.installed_governor()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'reader', current_user,
    'reads_all', pg_catalog.pg_has_role(current_user, 'pg_monitor', 'usage'),
    'is_supabase', pg_catalog.to_regrole('supabase_admin') is not null,
    'max_connections', current_setting('max_connections')::integer,
    'wal_mb_per_s', imago.setting_size('wal_mb_per_s'))
$$;
comment on function imago.installed_governor() is 'With which rights the governor reads signals, and what tells the size of the server.';

-- imago.installed_jobs
create or replace function imago.installed_jobs()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  problem text := imago.cron_problem();
  jobs jsonb := '[]';
begin
  if problem is null then
    select coalesce(jsonb_agg(jsonb_build_object('name', j.jobname, 'active', j.active, 'state', case
      when not exists (select from imago.plan p where j.jobname in (imago.job_name(p.name), imago.job_name(p.name, true))) then 'orphaned'
      else 'sound' end) order by j.jobname), '[]') into jobs
    from cron.job j where j.jobname like 'imago %' and j.username = current_user;
  end if;
  return jsonb_build_object('available', problem is null, 'problem', problem, 'jobs', jobs);
end
$$;
comment on function imago.installed_jobs() is 'Whether pg_cron can be used, and the jobs that drive plans: sound, or orphaned where no plan is of that name.';

-- imago.installed_relations
create or replace function imago.installed_relations()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('%I.%I', n.nspname, c.relname),
    'comment', md5(pg_catalog.obj_description(c.oid, 'pg_class')),
    'open_to', imago.open_to(c.relacl),
    'for_service_role', has_table_privilege('service_role', c.oid, 'select')) order by n.nspname, c.relname), '[]')
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v')
    and (n.nspname = any ((select imago.own_schemas())::name[]) or c.oid = pg_catalog.to_regclass('public.migration_log'))
$$;
comment on function imago.installed_relations() is 'Our tables and views, and who of everybody may read or write them.';

-- imago.installed_schemas
create or replace function imago.installed_schemas()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_agg(jsonb_build_object(
    'name', n.nspname,
    'owner', n.nspowner::pg_catalog.regrole::text,
    'open_to', imago.open_to(n.nspacl)) order by n.nspname)
  from pg_catalog.pg_namespace n
  where n.nspname = any ((select imago.own_schemas())::name[])
$$;
comment on function imago.installed_schemas() is 'Our schemas: owner, and who of everybody may use them.';

-- imago.installed_triggers
create or replace function imago.installed_triggers()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with expected as (
    select w.plan, r.relation, imago.trigger_name(w.plan, t.kind) as name
    from imago.plan_write w
    cross join lateral (
      select w.relation, true as is_declared
      union all
      select p::text, false from imago.written_tables(w.relation) p where p <> pg_catalog.to_regclass(w.relation)
    ) r
    cross join lateral (values
      ('guard', true),
      ('update', true),
      ('insert', w.inserts),
      -- Row triggers: PostgreSQL has the partitions follow by itself.
      ('note', r.is_declared and w.kept_at is not null),
      ('keep', r.is_declared and w.kept_at is not null)
    ) t(kind, wanted)
    where w.captured_at is not null and t.wanted
    union all
    select p.name, r.relation, imago.trigger_name(p.name, 'walk')
    from imago.plan p
    cross join lateral imago.walked_only(p.name) o
    cross join lateral (
      select o.relation
      union all
      select t::text from imago.written_tables(o.relation) t where t <> pg_catalog.to_regclass(o.relation)
    ) r
    where p.prepared_at is not null and p.closed_at is null
    union all
    select s.plan, r.relation, imago.trigger_name(s.plan, 'sync', s.position || '_' || e)
    from imago.plan_sync s
    cross join lateral (
      select s.relation
      union all
      select p::text from imago.written_tables(s.relation) p where p <> pg_catalog.to_regclass(s.relation)
    ) r
    cross join lateral unnest(s.events) e
    where s.installed_at is not null
  ), present as (
    select g.tgrelid, g.tgname, g.tgenabled, p.name as plan
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_proc f on f.oid = g.tgfoid
    -- A step of a plan may have put up triggers of its own; they go with the plan's.
    left join imago.plan p on f.pronamespace = pg_catalog.to_regnamespace(quote_ident(p.name)) and p.closed_at is null
    where not g.tgisinternal and g.tgparentid = 0 and imago.is_ours(f.oid) and f.pronamespace <> 'public'::pg_catalog.regnamespace
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'relation', coalesce(e.relation, g.tgrelid::pg_catalog.regclass::text),
    'name', coalesce(e.name, g.tgname),
    'plan', coalesce(e.plan, g.plan),
    'state', case
      when g.tgname is null then 'missing'
      when e.name is null and g.plan is null then 'orphaned'
      when g.tgenabled not in ('O', 'A') then 'disabled'
      else 'sound' end) order by coalesce(e.relation, g.tgrelid::pg_catalog.regclass::text), coalesce(e.name, g.tgname)), '[]')
  from expected e
  full join present g on g.tgrelid = pg_catalog.to_regclass(e.relation) and g.tgname = e.name
$$;
comment on function imago.installed_triggers() is 'Our triggers on the app''s tables: sound, missing, disabled, or orphaned where no plan knows them any more. These are guard, capture, walk, note, keep and sync.';

-- imago.installed_undo
create or replace function imago.installed_undo()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with known as (
    select w.plan, w.undo_table as name, 'table' as kind, w.captured_at is not null as wanted
    from imago.plan_write w where w.undo_table is not null
    union all
    select w.plan, w.undo_table || suffix, 'function', false
    from imago.plan_write w cross join unnest(array['_insert', '_update', '_note', '_keep']) suffix where w.undo_table is not null
    union all
    select s.plan, imago.sync_function(s.plan, s.position), 'function', s.installed_at is not null from imago.plan_sync s
    union all
    select p.name, imago.walk_function(p.name, o.stage), 'function', p.prepared_at is not null and p.closed_at is null
    from imago.plan p cross join lateral imago.walked_only(p.name) o
  ), present as (
    select c.relname as name, 'table' as kind, pg_catalog.pg_total_relation_size(c.oid) as bytes
    from pg_catalog.pg_class c where c.relnamespace = 'imago_undo'::pg_catalog.regnamespace and c.relkind = 'r'
    union all
    select p.proname, 'function', null from pg_catalog.pg_proc p where p.pronamespace = 'imago_undo'::pg_catalog.regnamespace
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('imago_undo.%I', coalesce(k.name, p.name)),
    'kind', coalesce(k.kind, p.kind),
    'plan', k.plan,
    'bytes', p.bytes,
    'state', case when p.name is null then 'missing' when k.name is null then 'orphaned' else 'sound' end)
    order by coalesce(k.kind, p.kind) desc, coalesce(k.name, p.name)), '[]')
  from known k
  full join present p on p.name = k.name and p.kind = k.kind
  where p.name is not null or k.wanted
$$;
comment on function imago.installed_undo() is 'Undo tables and the functions that fill them: sound, missing, or orphaned where no plan knows them any more.';

-- imago.is_added
create or replace function imago.is_added(plan text, object text, column_name text default null)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select from imago.object_address(object, is_added.column_name) o
    cross join lateral imago.added_object(o.class, o.id, o.column_number) a
    where a.plan = is_added.plan)
$$;
comment on function imago.is_added(text, text, text) is 'For plans: whether the plan has added a table, an index, a type, a function or, with column_name, a column. By the notes of note_added and keep_trigger_function.

Example: select imago.is_added(''avatars'', ''public.posts'', ''avatar_id'')';

-- imago.is_all_moved
create or replace function imago.is_all_moved(plan text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run := imago.last_moving_run(plan);
begin
  return coalesce(run.direction = 'forward' and run.state = 'succeeded', false) and not exists (
    select from imago.run r where r.plan = is_all_moved.plan and r.state in ('pending', 'running', 'paused'));
end
$$;
comment on function imago.is_all_moved(text) is 'Whether all was moved and nobody is moving. Then a sync locks its entities for key share, as a foreign key does: it waits for rollbacks, and two writers of the app who update the entity later do not block each other. Otherwise for share, which batches wait for.';

-- imago.is_applicable
create or replace function imago.is_applicable(plan_check imago.plan_check)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return plan_check.routine is not null or imago.check_sql(plan_check) is not null;
exception when others or assert_failure then
  return true;
end
$$;
comment on function imago.is_applicable(imago.plan_check) is 'Whether this app has what a check looks at. Also where its query cannot be told: working on it says why.';

-- imago.is_as_written
create or replace function imago.is_as_written(plan text, relation text, entity text, row_key text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  write imago.plan_write := (select w from imago.plan_write w where w.plan = is_as_written.plan and w.relation = is_as_written.relation);
begin
  if not imago.is_journaled(plan, relation, entity) then
    return false;
  end if;
  found_plan.stage := write.stage;
  found_plan.key_type := imago.entity_type(write.undo_table);
  return not exists (
    select from imago.edited_rows(found_plan, array[entity]) e
    where e.relation = is_as_written.relation and e.row_key = is_as_written.row_key);
end
$$;
comment on function imago.is_as_written(text, text, text, text) is 'For plans: whether Imago wrote this row for the entity, and nobody has changed since what it wrote. A value that was put back to what it had been counts as unchanged, as for a rollback.

Example: select imago.is_as_written(''profile_gigs'', ''public."Gigs"'', ''7'', ''11'')';

-- imago.is_batch_open
create or replace function imago.is_batch_open(plan text default null, capturing boolean default false)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- The plan, the batch's number and, in a rollback, the word back or, in its last pass, side.
  named text[] := regexp_match(current_setting('imago.batch', true), '^([a-z0-9_]+):([0-9]{1,18})(?::back|:side)?$');
begin
  if named is null or named[1] <> is_batch_open.plan then
    return false;
  end if;
  return exists (
    select from imago.batch b
    where b.id = named[2]::bigint
      and b.plan = named[1]
      and b.xid = pg_current_xact_id_if_assigned()
      and b.ms is null
      -- In a rollback the capture triggers look only at what triggers of the app write (imago.back).
      and (not capturing or b.direction = 'rollback' or b.journaled));
end
$$;
comment on function imago.is_batch_open(text, boolean) is 'Whether the setting imago.batch names a batch of this plan that this very transaction opened and has not ended. Any role can set a setting; nobody can forge the row. Without a plan: a batch of whatever plan.';

-- imago.is_beside_app
create or replace function imago.is_beside_app(plan text, run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return exists (
      select from imago.health h
      where h.run = run.id and h.others_at > clock_timestamp() - make_interval(secs => imago.setting_number('quiet_ms') / 1000.0))
    or imago.active_others(plan) > 0;
end
$$;
comment on function imago.is_beside_app(text, imago.run) is 'Whether anybody is there to be protected: others that write the plan''s tables, or sessions that are at work.';

-- imago.is_estimated
create or replace function imago.is_estimated(plan imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  select imago.source_rows(plan) > 100000
$$;
comment on function imago.is_estimated(imago.plan) is 'Whether figures of a plan are estimated, because to count its entities would take too long for a look.';

-- imago.is_finalized
create or replace function imago.is_finalized(plan_name text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce((select p.finalized_at is not null from imago.plan p where p.name = plan_name), false)
$$;
comment on function imago.is_finalized(text) is 'For plans: tells a clean-up step whether it comes after finalize, or after everything was taken back.

Example: select imago.is_finalized(''avatars'')';

-- imago.is_journaled
create or replace function imago.is_journaled(plan text, relation text, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  undo_table text := (select w.undo_table from imago.plan_write w where w.plan = is_journaled.plan and w.relation = is_journaled.relation);
  entity_type text := imago.entity_type(undo_table);
  result boolean;
begin
  if entity_type is null then
    return false;
  end if;
  execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)', undo_table, entity_type) into result using entity;
  return result;
end
$$;
comment on function imago.is_journaled(text, text, text) is 'For plans: whether the journal says that rows of this entity were written in this relation. For queries of checks: a view on the undo table would keep it from being dropped.

Example: select imago.is_journaled(''avatars'', ''public.users'', ''3f0c0b5e-8d52-4a7e-9a1c-0f6f6f9a2b11'')';

-- imago.is_key
create or replace function imago.is_key(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  perform imago.canonical_key(plan, entity);
  return true;
exception when data_exception then
  return false;
end
$$;
comment on function imago.is_key(imago.plan, text) is 'Whether this can be a key of the walked table at all: a number may be too large for it.';

-- imago.is_large
create or replace function imago.is_large(relation text)
returns boolean
language sql
stable
set search_path = ''
as $$
  select coalesce(imago.relation_bytes(relation), 0) >= imago.setting_number('direct_mb') * 1024 * 1024::bigint
$$;
comment on function imago.is_large(text) is 'For plans: whether a table has direct_mb megabytes or more: too large to be read as a whole within a call.

Example: select imago.is_large(''public.users'')';

-- imago.is_look_due
create or replace function imago.is_look_due(governor imago.governor)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return governor.looked_at is null
    or governor.looked_at <= clock_timestamp() - make_interval(secs => imago.setting_number('look_ms') / 1000.0)
    -- Written so much that a slot may be near its end.
    or governor.wal_room is not null and governor.share > 0
       and pg_catalog.pg_current_wal_insert_lsn() - governor.lsn > greatest(governor.wal_room, 1048576);
end
$$;
comment on function imago.is_look_due(imago.governor) is 'Whether it is time to look again: look_ms have passed, or as much was written as the last look allowed.';

-- imago.is_nulled
create or replace function imago.is_nulled(relation text, column_name text, target text)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    -- Not with children, which foreign keys do not see, nor where nobody would hear of it.
    select c.relkind = 'r' and not c.relhassubclass
      and current_setting('session_replication_role') <> 'replica' and current_setting('track_counts')::boolean
      and coalesce((
        select bool_and(
          cardinality(f.conkey) = 1 and f.confdeltype = 'n' and f.confrelid = target::pg_catalog.regclass
          and not exists (select from pg_catalog.pg_trigger t where t.tgconstraint = f.oid and t.tgenabled <> 'O'))
        from pg_catalog.pg_constraint f
        where f.contype = 'f' and f.conrelid = c.oid and a.attnum = any (f.conkey)), false)
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = column_name
    where c.oid = pg_catalog.to_regclass(relation));
end
$$;
comment on function imago.is_nulled(text, text, text) is 'Whether a deleted target row only sets this column null in the rows that point at it, as its foreign keys say.';

-- imago.is_open
create or replace function imago.is_open(throttle imago.throttle, at timestamptz)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select case
    when throttle.hours_from is null then true
    when throttle.hours_from <= throttle.hours_to then l.clock >= throttle.hours_from and l.clock < throttle.hours_to
    else l.clock >= throttle.hours_from or l.clock < throttle.hours_to
  end
  from (select (at at time zone coalesce(throttle.time_zone, 'UTC'))::time as clock) l
$$;
comment on function imago.is_open(imago.throttle, timestamptz) is 'Whether a moment lies within the hours in which runs may work. Hours may go past midnight.';

-- imago.is_ours
create or replace function imago.is_ours(routine oid)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
declare
  called record;
begin
  select p.pronamespace as schema_id, n.nspname::text as schema_name, p.proname::text as name, p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype as is_trigger
  into called
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where p.oid = routine;
  return called.schema_name in ('imago', 'imago_undo')
    or exists (select from imago.plan o where o.name = called.schema_name)
    -- As added_object has it, whose look at the address costs ten times as much: a trigger function has no arguments.
    or called.is_trigger
      and exists (
        select from imago.added a
        where a.type = 'function' and a.names = array[called.schema_name, called.name] and a.arguments = '{}'
          and (a.noted_in <> 'imago.added'::pg_catalog.regclass or a.object_id = routine));
end
$$;
comment on function imago.is_ours(oid) is 'Whether a trigger''s function is the engine''s or a plan''s, or one that a plan has left to the app. What a trigger calls tells whose it is, not its name.';

-- imago.is_renamed
create or replace function imago.is_renamed(plan_name text)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew each time that the app changes a key.
as $$
begin
  return exists (
    select from imago.declared d
    left join pg_catalog.pg_class c on c.oid = d.relation_id
    left join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    left join pg_catalog.pg_attribute a on a.attrelid = d.relation_id and a.attnum = d.number and d.number > 0
    where d.plan = plan_name and d.noted_in = 'imago.declared'::pg_catalog.regclass
      and (d.number > 0 and a.attname <> d.name or d.number = 0 and quote_ident(s.nspname) || '.' || quote_ident(c.relname) <> d.relation));
end
$$;
comment on function imago.is_renamed(text) is 'Whether a table or column of a plan was renamed since the last call that has followed that.';

-- imago.is_resumable
create or replace function imago.is_resumable(validation imago.validation)
returns boolean
language sql
volatile
set search_path = ''
as $$
  -- Older counts say little about the data of now.
  select validation.state <> 'done' and validation.updated_at > clock_timestamp() - interval '1 hour'
$$;
comment on function imago.is_resumable(imago.validation) is 'Whether a validation that was begun is gone on with, by the next caller with the same options.';

-- imago.is_time_left
create or replace function imago.is_time_left(began timestamptz, deadline timestamptz)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What a sub-batch costs at any size would be paid for little: the next call does the rest as well.
  return clock_timestamp() + least(interval '50 ms', (clock_timestamp() - began) / 2) < deadline;
end
$$;
comment on function imago.is_time_left(timestamptz, timestamptz) is 'Whether another sub-batch is worth beginning before a call is to end, given when the last one, or the call, began.';

-- imago.is_waited_for
create or replace function imago.is_waited_for(ms integer default 0)
returns boolean
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return exists (
    select from pg_catalog.pg_locks l
    where not l.granted
      and (ms = 0 or l.waitstart <= clock_timestamp() - make_interval(secs => ms / 1000.0))
      and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid)));
end
$$;
comment on function imago.is_waited_for(integer) is 'Whether another session waits for a lock of this one, and has for so many milliseconds.';

-- imago.job_name
create or replace function imago.job_name(plan_name text, direct boolean default false)
returns text
language sql
immutable
set search_path = ''
as $$
  select 'imago ' || plan_name || case when direct then ' direct' else '' end
$$;
comment on function imago.job_name(text, boolean) is 'Name of the pg_cron job that drives a plan, one job a plan, or of the one that runs the statement of its direct step.';

-- imago.journal_columns
create or replace function imago.journal_columns(relation text, columns text[])
returns table (ordinal integer, name text, type text, kept text, comparable boolean, nullable boolean, collated text)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select
    c.ordinal::integer,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    case when t.is_plain then pg_catalog.format_type(a.atttypid, a.atttypmod) else imago.journal_type(a.atttypid, a.atttypmod) end,
    case when t.is_plain then pg_catalog.format_type(a.atttypid, -1) else imago.journal_type(a.atttypid, -1) end in (
      'boolean', 'smallint', 'integer', 'bigint', 'oid', 'uuid', 'date', 'bytea',
      'timestamp without time zone', 'timestamp with time zone'),
    not a.attnotnull,
    (select format('collate %I.%I', l.collnamespace::pg_catalog.regnamespace, l.collname)
     from pg_catalog.pg_collation l where l.oid = a.attcollation and l.collname <> 'default')
  from unnest(journal_columns.columns) with ordinality c(name, ordinal)
  join pg_catalog.pg_attribute a
    on a.attrelid = journal_columns.relation::pg_catalog.regclass and a.attname = c.name and a.attnum > 0 and not a.attisdropped
  -- Most types are journaled as they are: no domain, no enum, no array of these.
  cross join lateral (
    select y.typtype = 'b' and y.typelem = 0 from pg_catalog.pg_type y where y.oid = a.atttypid) t(is_plain)
  order by c.ordinal;
end
$$;
comment on function imago.journal_columns(text, text[]) is 'The named columns in the given order, each with its own type, and with type and collation in the journal. comparable: two values of that type that are equal are also the same (1.0 and 1.00, or a citext in other letters, are not).';

-- imago.journal_type
create or replace function imago.journal_type(type oid, modifier integer)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  found_type pg_catalog.pg_type;
  element_kind "char";
begin
  select t.* into strict found_type from pg_catalog.pg_type t where t.oid = type;
  if found_type.typtype = 'd' then
    return imago.journal_type(found_type.typbasetype, found_type.typtypmod);
  end if;
  select t.typtype into element_kind from pg_catalog.pg_type t where t.oid = found_type.typelem;
  if found_type.typtype = 'e' or element_kind in ('e', 'd') then
    return 'text';
  end if;
  return pg_catalog.format_type(type, modifier);
end
$$;
comment on function imago.journal_type(oid, integer) is 'Type of a journaled column: the base type of a domain, text for enums, else its own.';

-- imago.journaled_print
create or replace function imago.journaled_print(write imago.plan_write, alias text)
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select case when '' = any (write.inserted_columns) then format('imago.fit_print(%I.print, %L::text[])', alias, write.inserted_columns)
      else format('%I.print', alias) end);
end
$$;
comment on function imago.journaled_print(imago.plan_write, text) is 'SQL: the print of a journaled row as it is compared with that of the table. Columns may have gone since it was taken.';

-- imago.judge
create or replace function imago.judge(signal imago.signal, reading imago.reading, before imago.reading, is_beside_app boolean)
returns imago.reading
language plpgsql
volatile
set search_path = ''
as $$
declare
  raw integer := case
    when reading.sqlstate is null then imago.raw_level(signal, reading.value, reading.capacity)
    when not signal.fails_closed then 0
    -- What cannot be seen is not taken to be fine for long.
    when before.sqlstate is not null and before.since < clock_timestamp() - interval '15 s' then 2
    else 1
  end;
begin
  reading.held_ms := coalesce(before.held_ms, 0);
  reading.slow_looks := case when raw >= 1 then coalesce(before.slow_looks, 0) + 1 else 0 end;
  reading.hold_looks := case when raw >= 2 then coalesce(before.hold_looks, 0) + 1 else 0 end;
  reading.level := case
    when signal.beside_app and not is_beside_app then 0
    when raw >= 2 and (reading.hold_looks >= signal.hold_looks or reading.sqlstate is not null) then case signal.name when 'waiters' then 3 else 2 end
    when raw >= 1 and reading.slow_looks >= signal.slow_looks then 1
    else 0
  end;
  reading.since := case
    when raw > 0 or reading.sqlstate is not null or reading.value >= signal.tell then coalesce(before.since, clock_timestamp())
  end;
  return reading;
end
$$;
comment on function imago.judge(imago.signal, imago.reading, imago.reading, boolean) is 'What a reading counts as, given the one of the look before: its level, and since when something is wrong.';

-- imago.keep_late_triggers
create or replace function imago.keep_late_triggers(plan_name text)
returns text
language plpgsql
volatile
set search_path = ''
set lock_timeout = '200ms'
as $$
declare
  write imago.plan_write;
  result text := 'none';
  context text;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan_name and w.captured_at is not null and w.kept_at is null loop
    if imago.needs_keep(write) then
      perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
      perform imago.install_keep(write.id);
      result := 'built';
    end if;
  end loop;
  return result;
exception
  when lock_not_available or deadlock_detected then
    return 'deferred';
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    perform imago.raise_error('IM073', 'triggers that keep columns', plan_name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan_name)).raised_by));
end
$$;
comment on function imago.keep_late_triggers(text) is 'Before rows are moved: keeps triggers of the app that came after prepare from having the last word on them. Answers none (there are no such), built, or deferred: a table cannot be locked just now. Raises IM073 where they cannot be made, as where an event trigger of the app refuses them.';

-- imago.keep_trigger_function
create or replace function imago.keep_trigger_function(plan text, routine regprocedure)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format('revoke all on function %s from public, anon, authenticated, service_role', routine);
  perform imago.note_object(plan, 'pg_catalog.pg_proc'::pg_catalog.regclass, routine, 0);
end
$$;
comment on function imago.keep_trigger_function(text, regprocedure) is 'For plans: closes a trigger function that a step has made in schema public, and notes it. Nobody may call it, and triggers that do are not taken for the app''s. Finalizing and uninstalling leave both to the app.

Example: select imago.keep_trigger_function(''avatars'', ''public.expect_own_avatar()'')';

-- imago.key_type
create or replace function imago.key_type(relation text, key_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select case when c.kept like 'character varying%' then 'text' else c.kept end
  from imago.journal_columns(relation, array[key_column]) c
$$;
comment on function imago.key_type(text, text) is 'The type by which the rows of a table are keyed.';

-- imago.keys_sql
create or replace function imago.keys_sql(plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    -- By way of a subquery: with thousands of values in sight the planner would look up each of them in its statistics, in every
    -- statement of a batch.
    select format('((select $1::%1$s[])::%1$s[])', plan.key_type));
end
$$;
comment on function imago.keys_sql(imago.plan) is 'SQL for the keys $1 of a batch, an array of the plan''s key type, as what stands after = any.';

-- imago.lagging_sequences
create or replace function imago.lagging_sequences(plan imago.plan)
returns table (object text, sequence text, next_value numeric, largest numeric, statement text)
language plpgsql
stable
set search_path = ''
as $$
declare
  drawn record;
begin
  for drawn in
    select w.relation, c.column_name, q.seqincrement as step, format('%I.%I', n.nspname, s.relname) as name
    from imago.plan_write w
    cross join lateral imago.column_sequences(w.relation) c
    join pg_catalog.pg_sequence q on q.seqrelid = c.sequence and not q.seqcycle
    join pg_catalog.pg_class s on s.oid = c.sequence
    join pg_catalog.pg_namespace n on n.oid = s.relnamespace
    where w.plan = plan.name and w.inserts and pg_catalog.has_sequence_privilege(c.sequence, 'select')
    order by w.position, c.column_name
  loop
    object := format('%s.%I', drawn.relation, drawn.column_name);
    sequence := drawn.name;
    execute format(
      'select s.last_value + case when s.is_called then $1 else 0 end, (select %s(t.%I) from %s t) from %s s',
      case when drawn.step > 0 then 'max' else 'min' end, drawn.column_name, drawn.relation, drawn.name)
    into next_value, largest using drawn.step;
    continue when largest is null or drawn.step > 0 and largest < next_value or drawn.step < 0 and largest > next_value;
    statement := format('select setval(%L, (select %s(%I) from %s));',
      drawn.name, case when drawn.step > 0 then 'max' else 'min' end, drawn.column_name, drawn.relation);
    return next;
  end loop;
end
$$;
comment on function imago.lagging_sequences(imago.plan) is 'Sequences that lag behind the column that they fill, of tables into which a plan inserts. statement sets one right.';

-- imago.last_effective_run
create or replace function imago.last_effective_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r
  where r.plan = last_effective_run.plan
    and (r.state <> 'cancelled'
      or exists (select from imago.lane l where l.run = r.id and l.moved > 0)
      or exists (select from imago.batch b where b.run = r.id and b.moved > 0))
  order by r.id desc limit 1
$$;
comment on function imago.last_effective_run(text) is 'The newest run that tells where a plan stands: not one that was given up before it moved anybody.';

-- imago.last_failed_sync
create or replace function imago.last_failed_sync(plan text, entity text, stage integer default 1)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew for each row of a check.
as $$
begin
  return (
    select f.relation from imago.sync_failure f
    where f.plan = last_failed_sync.plan and f.stage = last_failed_sync.stage and f.entity = last_failed_sync.entity
    order by f.id desc limit 1);
end
$$;
comment on function imago.last_failed_sync(text, text, integer) is 'For plans: the relation that the app wrote when a sync failed for this entity, last; null when none has.

Example: select imago.last_failed_sync(''profile_gigs'', ''7'')';

-- imago.last_moving_run
create or replace function imago.last_moving_run(plan text)
returns imago.run
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each write of the app.
as $$
begin
  return (
    select r from imago.run r where r.plan = last_moving_run.plan and r.validation is null order by r.id desc limit 1);
end
$$;
comment on function imago.last_moving_run(text) is 'The newest run of the plan that moves entities, forward or back: not one that fixes findings.';

-- imago.last_run
create or replace function imago.last_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r where r.plan = last_run.plan order by r.id desc limit 1
$$;
comment on function imago.last_run(text) is 'The newest run of the plan, or null.';

-- imago.late_walk_was_empty
create or replace function imago.late_walk_was_empty(lane imago.lane)
returns boolean
language sql
stable
set search_path = ''
as $$
  select lane.moved_before is not distinct from sum(l.moved)
  from imago.lane l where l.run = lane.run and l.pass = lane.pass
$$;
comment on function imago.late_walk_was_empty(imago.lane) is 'Whether a walk of the late lanes that began when all lanes were done has found nothing to move. The other proof of completeness.';

-- imago.latest_end_validation
create or replace function imago.latest_end_validation(run imago.run, since timestamptz)
returns imago.validation
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select v from imago.validation v
    where v.run = latest_end_validation.run.id and v.created_at >= since
    order by v.id desc limit 1);
end
$$;
comment on function imago.latest_end_validation(imago.run, timestamptz) is 'The newest checks that the end of a run has asked for since its last lane ended; null where there are none.';

-- imago.leave_index_to_person
create or replace function imago.leave_index_to_person(run imago.run, write_id integer, column_name text, reason text, sqlstate text default null)
returns void
language sql
volatile
set search_path = ''
as $$
  select imago.write_log(run.plan, run.id, 'warning', 'index',
    jsonb_build_object('kind', 'no_index', 'object', u.object, 'message', 'has no index; ' || reason, 'hint', u.statement), null, leave_index_to_person.sqlstate)
  from imago.missing_indexes(run.plan) u
  where u.write_id = leave_index_to_person.write_id and u.column_name = leave_index_to_person.column_name;
  update imago.plan_write w set left_unindexed = w.left_unindexed || column_name where w.id = write_id
$$;
comment on function imago.leave_index_to_person(imago.run, integer, text, text, text) is 'Leaves the index on a pointing column to a person: notes it for this run and logs the statement.';

-- imago.lists_null
create or replace function imago.lists_null(plan imago.plan)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.ask_pending(plan, format('select to_jsonb(exists (select from %s where entity is null))', imago.plan_object(plan, 'pending')));
exception when sqlstate 'IM071' then
  -- Nothing is forgotten that may be there still.
  return true;
end
$$;
comment on function imago.lists_null(imago.plan) is 'Whether the view pending of a stage lists rows without a key, or cannot be read.';

-- imago.lock_entities
create or replace function imago.lock_entities(plan imago.plan, keys anyarray, skip_locked boolean default false, alone boolean default false)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  result text[];
begin
  execute format(
    'select coalesce(array_agg(k::text), ''{}'') from (
       select %1$I as k from %2$s where %1$I = any %3$s order by %1$I for %4$s %5$s) locked',
    plan.key_column, plan.source, imago.keys_sql(plan),
    case when alone then 'update' else 'no key update' end, case when skip_locked then 'skip locked' else '' end)
  into result using keys;
  return result;
end
$$;
comment on function imago.lock_entities(imago.plan, anyarray, boolean, boolean) is 'The entity lock: locks the entities in key order and returns the keys of those that exist. With skip_locked, of those that are free. Alone, it waits for transactions that refer to an entity, too: syncs that may have read what is to go.';

-- imago.lock_inserted
create or replace function imago.lock_inserted(plan imago.plan, keys anyarray, out is_edited boolean, out present bigint)
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
-- By key, each of them, as in restore_rows.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  write imago.plan_write;
  locked record;
begin
  is_edited := false;
  present := 0;
  for write in select w.* from imago.stage_writes(plan) w where w.inserts loop
    execute format(
      'select coalesce(bool_or(locked.edited), false) as edited, count(*) as present from (
         select %7$s is distinct from %5$s as edited
         from imago_undo.%4$I j join %1$s t on %2$s where j.entity = any %6$s and j.op = ''i''
         order by %3$s for update of t) locked',
      write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      imago.each_column('t.%2$I', write.relation, write.key_columns),
      write.undo_table, imago.fingerprint('t', write.inserted_columns), imago.keys_sql(plan), imago.journaled_print(write, 'j'))
    into locked using keys;
    is_edited := is_edited or locked.edited;
    present := present + locked.present;
  end loop;
end
$$;
comment on function imago.lock_inserted(imago.plan, anyarray, out boolean, out bigint) is 'Locks the rows that are to be removed, in key order: whoever is adding a reference to one is waited for. Says whether one of them was edited since it was inserted, and how many there are.';

-- imago.lock_last_run
create or replace function imago.lock_last_run(plan_name text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_run(plan_name);
begin
  loop
    run := imago.lock_run(run.id);
    -- While we waited, somebody may have begun another one.
    exit when run.id is not distinct from (imago.last_run(plan_name)).id;
    run := imago.last_run(plan_name);
  end loop;
  return run;
end
$$;
comment on function imago.lock_last_run(text) is 'Holds the newest run of a plan alone and re-reads it; null when the plan has none. IM016 when others take too long.';

-- imago.lock_plan
create or replace function imago.lock_plan(plan_name text, run_too boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  run imago.run := imago.last_run(plan_name);
begin
  if run_too and run.id is not null then
    perform imago.lock_run(run.id);
  end if;
  perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
  perform from imago.plan p where p.name = plan_name for no key update;
  return true;
exception when sqlstate 'IM016' or lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.lock_plan(text, boolean) is 'Holds a plan alone, so that no run is opened, and its last run, so that nothing is moved by it. False while others take too long.';

-- imago.lock_run
create or replace function imago.lock_run(run_id bigint, shared boolean default false, wait_ms integer default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
begin
  perform set_config('lock_timeout', coalesce(wait_ms, imago.setting_number('state_lock_timeout_ms'))::text, true);
  -- Row locks are not fair: without the advisory lock, callers whose batches overlap would keep a transition waiting for ever.
  if shared then
    perform pg_advisory_xact_lock_shared(imago.run_lock_key(run_id));
    select r.* into run from imago.run r where r.id = run_id for share;
  else
    perform pg_advisory_xact_lock(imago.run_lock_key(run_id));
    -- Not for update: a sync in the app's transaction refers to the run and would hold it up until that ends.
    select r.* into run from imago.run r where r.id = run_id for no key update;
  end if;
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.lock_run(bigint, boolean, integer) is 'Holds a run and re-reads it: alone, or shared with others who move entities. Alone it waits for the batches in flight; shared, no transition happens under a batch. IM016 when the others take too long.';

-- imago.locks_ahead
create or replace function imago.locks_ahead(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', t.relation::text,
    'mode', case when plan.prepared_at is null then 'ACCESS EXCLUSIVE' else 'ROW EXCLUSIVE' end) order by t.relation::text), '[]')
  from (
    select r.relation from imago.plan_relations(plan) r(relation)
    union
    select pg_catalog.to_regclass(y.relation) from imago.plan_sync y where y.plan = locks_ahead.plan.name
  ) t
  where t.relation is not null
$$;
comment on function imago.locks_ahead(imago.plan) is 'The tables that a dry run locks, each with the strongest mode that it may need. Preparing may take any of them for itself, what is prepared is locked row by row.';

-- imago.locks_held
create or replace function imago.locks_held()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('object', h.relation::text, 'mode', h.mode) order by h.relation::text), '[]')
  from (
    select distinct on (c.oid) c.oid::pg_catalog.regclass as relation, m.mode
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p')
    join unnest(array['ACCESS EXCLUSIVE', 'EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'SHARE', 'ROW EXCLUSIVE']) with ordinality m(mode, strength)
      on replace(initcap(m.mode), ' ', '') || 'Lock' = l.mode
    where l.locktype = 'relation' and l.granted and l.pid = pg_catalog.pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and c.relnamespace not in (select n.oid from pg_catalog.pg_namespace n where n.nspname ~ '^(pg_|imago)' or n.nspname in (select p.name from imago.plan p))
    order by c.oid, m.strength
  ) h
$$;
comment on function imago.locks_held() is 'The app''s tables that this transaction holds against others, each with its strongest mode.';

-- imago.log_change
create or replace function imago.log_change(run imago.run, before numeric, governor imago.governor, readings imago.reading[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  event constant text := case
    when governor.share = 0 and before > 0 then 'held'
    when governor.share > 0 and before = 0 then 'released'
    when governor.share < 1 and before = 1 then 'slowed'
    when governor.share = 1 and before < 1 then 'released'
  end;
begin
  if event is null then
    return;
  end if;
  perform imago.write_log(governor.plan, run.id, case event when 'held' then 'warning' else 'info' end, event,
    jsonb_build_object('share', governor.share, 'reasons', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'signal', r.signal, 'name', nullif(r.name, ''), 'value', round(r.value), 'capacity', round(r.capacity), 'sqlstate', r.sqlstate))), '[]')
      from unnest(readings) r where r.level > 0)));
end
$$;
comment on function imago.log_change(imago.run, numeric, imago.governor, imago.reading[]) is 'Logs that a run is slowed, held or released, with the signals, and only then: not each look.';

-- imago.log_request
create or replace function imago.log_request(plan_name text, action text, caller text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  if coalesce(action, '') !~ '^[a-z_]{1,40}$' then
    perform imago.raise_error('IM015', 'action', coalesce(left(action, 40), 'null'), 'a name in lower case');
  end if;
  if coalesce(caller, '') !~ '^(key|user):[^[:cntrl:]]{1,200}$' then
    perform imago.raise_error('IM015', 'caller', coalesce(left(caller, 40), 'null'), 'key:<name of the key> or user:<id>');
  end if;
  -- What was asked for then waits, and is asked for again.
  if imago.read_only_reason(moving => false) is null then
    perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, 'info', 'requested',
      jsonb_build_object('action', action, 'caller', caller));
  end if;
  return jsonb_build_object('plan', plan_name, 'action', action, 'caller', caller);
end
$$;
comment on function imago.log_request(text, text, text) is 'Logs who has asked for what.';

-- imago.look
create or replace function imago.look(plan imago.plan, run imago.run)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor;
  before numeric;
  readings imago.reading[];
begin
  if current_setting('imago.dry', true) = 'on' then
    return imago.glance(plan, run);
  end if;
  select g.* into governor from imago.governor g where g.plan = plan.name;
  if not found then
    insert into imago.governor (plan) values (plan.name) on conflict do nothing;
  elsif not imago.is_look_due(governor) then
    return governor;
  end if;
  -- One call looks; who comes meanwhile takes what was decided before.
  select g.* into governor from imago.governor g where g.plan = plan.name for update skip locked;
  if not found then
    select g.* into governor from imago.governor g where g.plan = plan.name;
    return governor;
  elsif not imago.is_look_due(governor) then
    return governor;
  end if;

  before := governor.share;
  readings := imago.take_readings(plan, run, governor);
  perform imago.save_readings(governor, readings);
  governor := imago.decide(governor, readings);
  update imago.reading r set holds = true
  where r.plan = governor.plan and governor.share = 0 and r.level >= 2 and r.signal <> 'waiters' and not r.holds;
  update imago.reading r set holds = false where r.plan = governor.plan and governor.share > 0 and r.holds;
  governor := imago.measure_rooms(governor, run, readings, (select t.max_per_second from imago.throttle t where t.plan = plan.name));
  governor := imago.note_usual(governor, readings);
  governor.looked_at := clock_timestamp();
  perform imago.log_change(run, before, governor, readings);
  return imago.save_governor(governor);
end
$$;
comment on function imago.look(imago.plan, imago.run) is 'The governor of a plan: looks at the server if nobody has within look_ms. Decides which share of the time its runs may work.';

-- imago.look_through
create or replace function imago.look_through(plan imago.plan, detailed boolean, started timestamptz, deadline timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  held imago.validation;
  fresh record;
  item imago.validation_check;
  before imago.validation_check;
  items imago.validation_check[] := '{}';
  status text := 'done';
begin
  held.plan := plan.name;
  held.phase := imago.validation_phase(plan);
  held.fixes := false;
  held.dry_run := false;
  held.state := 'checking';
  for fresh in select c.* from imago.new_checks(plan, held.phase, null) c order by c.place loop
    item := row(null, fresh.plan_check, fresh.place, fresh.applicable, fresh.done, null, 20, null, false, 0, fresh.total, 0, null, 0, 0,
      '{}', 0, 10, '{}', '[]', '{}', null);
    while not item.done and clock_timestamp() < deadline and not imago.timed_out() loop
      before := item;
      item := imago.work_check(item, plan, deadline, true);
      exit when item is not distinct from before;
    end loop;
    items := items || item;
    status := case when item.done then status else 'waiting' end;
  end loop;
  return imago.validation_report(held, items, status, detailed, started) || case status
    when 'waiting' then imago.waiting_fields() else jsonb_build_object('progress', imago.validated_figures(plan)) end;
end
$$;
comment on function imago.look_through(imago.plan, boolean, timestamptz, timestamptz) is 'A validation within one call, of which nothing is written down, for while nothing can be written. Status waiting where the call is too short for it.';

-- imago.lose_rows
create or replace function imago.lose_rows(plan_name text, relation text, entities text[], sqlstate text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  amount bigint;
begin
  -- As the plan declares it.
  insert into imago.lost_row (plan, relation, stage, entity)
  select w.plan, w.relation, w.stage, e.entity
  from imago.plan_write w
  cross join lateral unnest(coalesce(entities, array[null])) e(entity)
  where w.plan = plan_name and w.undo_table is not null and lose_rows.relation in (w.relation, imago.name_now(w.plan, w.relation))
    and not exists (
      select from imago.lost_row l
      where l.plan = w.plan and l.relation = w.relation and l.stage = w.stage and l.entity is not distinct from e.entity);
  get diagnostics amount = row_count;
  if amount = 0 then
    return;
  end if;
  perform imago.write_log(plan_name, null, 'warning', 'keys_lost',
    jsonb_strip_nulls(jsonb_build_object('relation', relation, 'entities', cardinality(entities), 'keys', entities[:10])), null, lose_rows.sqlstate);
end
$$;
comment on function imago.lose_rows(text, text, text[], text) is 'Notes and logs that journaled rows of these entities (null: of any) may have got keys that the journal does not know.';

-- imago.lost_columns
create or replace function imago.lost_columns(plan_name text)
returns table (relation text, name text, reason text)
language sql
stable
set search_path = ''
as $$
  select m.relation, m.name,
    case m.kind when 'dropped' then 'was dropped'
      else concat_ws('; ', 'is another table now', 'the one that was prepared is ' || m.becomes) end
  from imago.schema_moves(plan_name) m
  where m.kind = 'replaced'
     or m.kind = 'dropped' and (
       m.number = 0
       or exists (
         select from imago.plan_write w
         where w.plan = plan_name and w.relation = m.relation
           and (m.name = any (w.columns || w.key_columns) or m.name = w.entity_column))
       or exists (
         select from imago.plan p cross join lateral imago.plan_stages(p) s
         where p.name = plan_name and s.source = m.relation and s.key_column = m.name))
$$;
comment on function imago.lost_columns(text) is 'Tables and columns that a plan needs to go forward or back, and that are not there any more.';

-- imago.lost_rows
create or replace function imago.lost_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  for write in select w.* from imago.stage_writes(plan) w loop
    return query execute format(
      'select distinct j.entity::text, %1$L::text, concat_ws('','', %2$s), ''rekeyed''::text, null::text
       from imago_undo.%3$I j
       where j.entity = any ($1::%4$s[]) and j.op in (''i'', ''u'')
         and exists (
           select from imago.lost_row l
           where l.plan = %5$L and l.relation = %1$L and (l.entity is null or l.entity = j.entity::text))
         and not exists (select from %6$s t where %7$s)',
      write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
      write.undo_table, plan.key_type, write.plan, write.relation,
      imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    using keys;
  end loop;
end
$$;
comment on function imago.lost_rows(imago.plan, text[]) is 'Journaled rows of these entities that are not there, and that the app may have given another key (imago.lost_row).';

-- imago.may_be_lost
create or replace function imago.may_be_lost(plan imago.plan, keys text[])
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew in each batch.
as $$
begin
  return exists (
    select from imago.lost_row l
    where l.plan = plan.name and l.stage = plan.stage and (l.entity is null or l.entity = any (may_be_lost.keys)));
end
$$;
comment on function imago.may_be_lost(imago.plan, text[]) is 'Whether the app may have given journaled rows of these entities keys that the journal does not know.';

-- imago.may_grant_role
create or replace function imago.may_grant_role(role oid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select not r.rolsuper and (pg_catalog.pg_has_role(current_user, r.oid, 'member with admin option')
    -- Before version 16 who may create roles may grant all of them; Supabase takes its own from that.
    or pg_catalog.current_setting('server_version_num')::integer < 160000 and m.rolcreaterole
      and r.rolname !~ '^(supabase_|pg_)' and r.rolname not in ('authenticator', 'dashboard_user', 'pgbouncer'))
  from pg_catalog.pg_roles r cross join pg_catalog.pg_roles m
  where r.oid = may_grant_role.role and m.rolname = current_user
$$;
comment on function imago.may_grant_role(oid) is 'Whether the current user may make itself a member of a role.';

-- imago.measure_rooms
create or replace function imago.measure_rooms(governor imago.governor, run imago.run, readings imago.reading[], per_second integer)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  moved bigint := (select sum(l.moved + l.failed) from imago.lane l where l.run = run.id);
begin
  governor.lsn := pg_catalog.pg_current_wal_insert_lsn();
  -- A quarter of what is left before a slot holds the run: others write as well, and so may several callers.
  governor.wal_room := (
    select min(greatest(0, s.hold / 100 * r.capacity - r.value)) / 4
    from unnest(readings) r join imago.signal s on s.name = r.signal where r.signal = 'slot' and r.sqlstate is null);
  -- Who has moved too many in the last second moves fewer in this one.
  governor.entity_room := per_second * imago.setting_number('look_ms') / 1000.0
    + least(0, coalesce(governor.entity_room - greatest(0, moved - governor.moved), 0));
  governor.moved := moved;
  return governor;
end
$$;
comment on function imago.measure_rooms(imago.governor, imago.run, imago.reading[], integer) is 'What calls may write and move until the next look.';

-- imago.migrate
create or replace function imago.migrate(
  plan_name text,
  max_ms integer,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default null,
  max_failures text default null,
  on_failure text default null,
  run_id bigint default null
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  driven imago.run;
  result jsonb;
begin
  perform imago.expect_size(batch_size, max_ms);
  perform imago.expect_options(backup, max_failures, on_failure, dry_run);
  perform imago.expect_session();
  if dry_run then
    return imago.dry_run(plan_name, 'sample', batch_size, max_ms);
  end if;

  if plan.closed_at is not null then
    return imago.work_answer((imago.last_run(plan_name)).id, 'done', '{}', '{}', statement_timestamp());
  end if;
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward');
  end if;
  begin
    driven := imago.forward_run(plan_name, backup, max_failures, on_failure, run_id);
  exception when sqlstate 'IM016' then
    -- The run that is wanted is not there yet; the last one must not be taken for it.
    return imago.work_answer((imago.last_run(plan_name)).id, 'busy', '{}', '{}', statement_timestamp()) || '{"run": null}';
  end;
  if driven.direction = 'rollback' then
    result := imago.work_run(driven.id, max_ms, batch_size);
    return result || case result ->> 'status'
      when 'done' then jsonb_build_object('status', 'failed', 'error', (select imago.run_error(r) from imago.run r where r.id = driven.caused_by))
      else '{}' end;
  end if;
  if driven.state in ('pending', 'running') and not exists (select from imago.lane l where l.run = driven.id) then
    if (imago.find_plan(plan_name)).prepared_at is null then
      result := imago.prepare_step(plan_name, driven.id);
      return imago.work_answer(driven.id, case result ->> 'status' when 'failed' then 'failed' else 'preparing' end, '{}', '{}', statement_timestamp())
        || jsonb_build_object('step', result -> 'step', 'warnings', result -> 'warnings', 'retry_after_ms', result -> 'retry_after_ms');
    end if;
    perform imago.follow_schema(plan_name);
    begin
      perform imago.start_run(driven.id, batch_size);
    exception when sqlstate 'IM016' then
      return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp());
    end;
  end if;
  return imago.work_run(driven.id, max_ms, batch_size);
end
$$;
comment on function imago.migrate(text, integer, integer, boolean, boolean, text, text, bigint) is 'One call''s worth of a migration: opens the run or finds it, prepares, starts it and works; or rehearses all that.';

-- imago.migrate_entity
create or replace function imago.migrate_entity(plan_name text, entity text, stage integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
begin
  if entity is null then
    perform imago.raise_error('IM004', 'entity');
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  plan := imago.followed_plan(plan_name);
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  plan := imago.entity_stage(plan, entity, stage, false);
  if plan.name is null then
    perform imago.raise_error('IM013', plan_name, imago.plan_words(imago.find_plan(plan_name)) ->> 'entity_singular');
  end if;
  perform imago.expect_begun(plan);
  entity := imago.canonical_key(plan, entity);
  delete from imago.failure f
  where f.plan = plan_name and f.stage = plan.stage and f.entity = migrate_entity.entity and f.direction = 'forward';
  attempt := imago.attempt_batch(run, plan, array[entity], 'entity');
  perform imago.raise_attempt(plan, attempt);
  perform imago.expect_visible(plan_name);
  return jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'migrated', attempt.moved = 1, 'skipped', attempt.moved = 0,
    'rows', attempt.rows, 'run', run.id,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1)) || imago.stage_label(plan.stage);
end
$$;
comment on function imago.migrate_entity(text, text, integer) is 'Moves one entity now, whatever its lane is doing.';

-- imago.missing_indexes
create or replace function imago.missing_indexes(plan_name text)
returns table (write_id integer, relation text, column_name text, object text, statement text, bytes bigint, is_small boolean, is_left boolean)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select w.id, w.relation, p.name, i.object, i.hint, t.bytes, t.bytes < 16 * 1024 * 1024, p.name = any (w.left_unindexed)
  from imago.plan_write w
  cross join lateral jsonb_object_keys(w.points_to) p(name)
  cross join lateral imago.index_warning(w.relation, p.name, 'rollback') i
  cross join lateral (select imago.relation_bytes(w.relation) as bytes) t
  where w.plan = plan_name
  order by w.position, p.name;
end
$$;
comment on function imago.missing_indexes(text) is 'Declared columns that point at inserted rows and have no index, each with its statement and its table''s size. The statement builds one beside writers. is_small: reading all of it, or building the index, takes no more than a moment. is_left: to a person, by the last run.';

-- imago.move_back
create or replace function imago.move_back(run imago.run, plan imago.plan, keys anyarray, path text, careful boolean)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
-- A table that fills while we work has no statistics, or those of when it was empty: without this the planner reads all
-- of it for each batch, and cached foreign key checks go on doing so.
set enable_seqscan = off
set jit = off
as $$
declare
  result imago.attempt;
  conflicts jsonb := '[]';
  good keys%type;
  inserted record;
  restored record;
  journaled jsonb;
  sides jsonb;
  relations text[] := array(select w.relation from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null);
  before jsonb;
  after jsonb;
  present bigint;
  write_id integer;
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
begin
  result.moved := 0;
  result.rows := '{}';
  perform imago.lock_entities(plan, keys, alone => exists (
    select from imago.plan_sync s where s.plan = plan.name and s.installed_at is not null));
  select l.* into inserted from imago.lock_inserted(plan, keys) l;
  careful := careful or imago.may_be_lost(plan, keys::text[]);
  -- Later statements than the locks: they see references that transactions in flight have committed meanwhile.
  if careful then
    conflicts := imago.find_conflicts(run, plan, keys::text[]);
  elsif inserted.is_edited and not run.force then
    raise exception using errcode = '40IM1', message = 'an inserted row was edited';
  end if;
  select coalesce(array_agg(k), '{}') into good from unnest(keys) k
  where k::text not in (select c ->> 'entity' from jsonb_array_elements(conflicts) c);

  insert into imago.batch (run, plan, direction, path, journaled, size)
  values (run.id, plan.name, 'rollback', path, false, cardinality(keys))
  returning id into result.batch;
  if conflicts <> '[]' then
    result.bad_keys := imago.record_conflicts(run, conflicts, plan.stage);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name and f.kind = 'conflict') then
    delete from imago.failure f where f.plan = plan.name and f.kind = 'conflict' and f.stage = plan.stage and f.entity = any (good::text[]);
  end if;

  present := case conflicts when '[]' then inserted.present else (select l.present from imago.lock_inserted(plan, good) l) end;
  sides := imago.read_sides(plan, good);
  perform imago.hand_sides_over(plan, good);
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
  end loop;
  select jsonb_object_agg(c.relation, to_jsonb(c)) into before from imago.write_counters(relations) c;
  -- Where nothing of the app's would change other columns, the keeper need not look at each row.
  perform set_config('imago.batch', format('%s:%s%s', plan.name, result.batch, case when exists (
    select from unnest(relations) r(relation) cross join lateral imago.written_tables(r.relation) t where imago.has_app_trigger(t)) then ':back' end), true);
  perform set_config('imago.back', plan.name, true);
  journaled := imago.count_journaled(plan, good, of_inserts => true);
  select r.* into restored from imago.restore_rows(run, plan, good, careful) r;
  journaled := restored.journaled || journaled;
  result.rows := imago.add_counts(restored.counts, imago.remove_rows(plan, good, careful));
  perform set_config('search_path', imago.app_search_path(), true);
  set constraints all immediate;
  perform pg_catalog.set_config('search_path', '', true);
  perform set_config('imago.back', '', true);
  select jsonb_object_agg(c.relation, to_jsonb(c)) into after from imago.write_counters(relations) c;
  perform imago.expect_own_deleted(result.rows, present, before, after);
  sides := imago.read_nested(plan, result.batch, good, sides);
  if sides <> '{}' then
    perform imago.restore_sides(plan, result.batch, sides);
  end if;
  perform imago.expect_taken_back(plan, good::text[], result.rows, case when careful or sides <> '{}' then null else present end, before, after, journaled);
  perform set_config('imago.batch', '', true);
  perform imago.forget_journal(plan, good, journaled);

  result.moved := cardinality(good);
  update imago.batch b set
    moved = result.moved,
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_back(imago.run, imago.plan, anyarray, text, boolean) is 'Takes entities back, inside the caller''s subtransaction, each whole or not at all. Locks, looks for conflicts, restores, detaches, removes, forgets the journal. Not careful, it expects none and raises 40IM1 at the first sign of one.';

-- imago.move_forward
create or replace function imago.move_forward(run imago.run, plan imago.plan, keys text[], path text, fixed imago.plan_check default null)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
-- A table that fills while we work has no statistics, or those of when it was empty: without this the planner reads all
-- of it for each batch, and cached foreign key checks go on doing so.
set enable_seqscan = off
set jit = off
as $$
declare
  apply text := case when fixed.id is null then imago.plan_object(plan, 'apply') else format('%I.%I', plan.name, fixed.fix) end;
  result imago.attempt;
  todo record;
  still record;
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
  counts jsonb;
  uncaptured jsonb;
  deleted jsonb;
  write_id integer;
begin
  result.moved := 0;
  result.rows := '{}';
  keys := imago.lock_entities(plan, keys);
  -- A later statement than the lock: it sees what the transaction that held the entity before us has done.
  select * into todo from imago.still_to_move(plan, fixed, keys);
  if todo.amount = 0 then
    return result;
  end if;

  -- The number is drawn under the entity locks, so that for each entity batches are numbered in the order of their writes.
  insert into imago.batch (run, plan, direction, path, plan_check, journaled, size)
  values (run.id, plan.name, run.direction, path, fixed.id, run.backup, cardinality(todo.keys))
  returning id into result.batch;
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
  end loop;
  counts := imago.rows_written(plan.name);
  uncaptured := imago.uncaptured_rows(plan.name);
  deleted := imago.deleted_rows(plan.name);
  -- What the app adds to an entity while it is being moved (a post, by a foreign key that does not wait for our lock) is
  -- moved with it. What is left after that is not to be moved by this plan.
  still := todo;
  for round in 1..3 loop
    perform set_config('imago.batch', plan.name || ':' || result.batch, true);
    perform set_config('search_path', imago.app_search_path(), true);
    execute format('select %s($1::%s[])', apply, plan.key_type) using still.keys;
    set constraints all immediate;
    perform pg_catalog.set_config('search_path', '', true);
    perform set_config('imago.batch', '', true);
    select * into still from imago.still_to_move(plan, fixed, todo.keys);
    exit when still.amount = 0;
  end loop;
  if still.amount > 0 then
    raise exception using
      errcode = case when fixed.id is null then 'IM010' else 'IM026' end, message = 'still to be moved', detail = to_jsonb(still.keys)::text;
  end if;
  if run.backup then
    perform imago.expect_captured(plan.name, uncaptured);
    perform imago.expect_nothing_deleted(plan.name, result.batch, deleted);
    perform imago.compact_batch(result.batch, plan, todo.keys);
  end if;
  result.rows := imago.add_counts(imago.rows_written(plan.name), counts, -1);
  result.moved := todo.amount;
  update imago.batch b set
    moved = cardinality(todo.keys),
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_forward(imago.run, imago.plan, text[], text, imago.plan_check) is 'Moves exactly these entities, or fixes what a check found of them, inside the caller''s subtransaction. Locks, looks again, applies, proves that nothing is left (else IM010, IM026) and settles the journal.';

-- imago.move_keys
create or replace function imago.move_keys(
  run imago.run,
  plan imago.plan,
  keys text[],
  path text,
  size integer,
  deadline timestamptz,
  attempts_left integer,
  deferrals integer,
  fixed imago.plan_check default null
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.moves;
  attempt imago.attempt;
  -- Ends of the segments still to do, nearest last: a segment that fails is cut in two, down to the entity.
  ends integer[] := array[cardinality(keys)];
  first integer := 1;
  last integer;
  segment text[];
  aside text[] := '{}';
  -- Somebody was just set aside: in the late pass, which tries those once more, the rest would otherwise never have its turn.
  again boolean := false;
  failure record;
  started timestamptz;
begin
  result := row('done', 0, 0, 0, 0, size, null, '{}', null, null);
  while first <= cardinality(keys) loop
    while ends[cardinality(ends)] < first loop
      ends := trim_array(ends, 1);
    end loop;
    last := least(ends[cardinality(ends)], first + size - 1);
    if result.attempts >= attempts_left or (clock_timestamp() >= deadline and result.attempts > 0 and not again) then
      result.outcome := 'time';
      result.next_size := last - first + 1;
      exit;
    end if;

    select coalesce(array_agg(k order by n), '{}') into segment
    from unnest(keys[first:last]) with ordinality s(k, n) where k <> all (aside);
    if segment = '{}' then
      first := last + 1;
      again := false;
      continue;
    end if;
    again := false;
    started := clock_timestamp();
    result.attempts := result.attempts + 1;
    attempt := imago.attempt_batch(run, plan, segment, path, fixed => fixed);
    if attempt.outcome = 'moved' then
      result.moved := result.moved + attempt.moved;
      result.failed := result.failed + coalesce(cardinality(attempt.bad_keys), 0);
      result.rows := imago.add_counts(result.rows, attempt.rows);
      perform imago.clear_set_aside(run, segment, plan.stage);
      size := imago.next_size(cardinality(segment), clock_timestamp() - started, null);
      first := last + 1;
      continue;
    end if;

    failure := imago.handle_failed_batch(run, plan, segment, attempt,
      had_whole_call => result.attempts = 1 and attempts_left = imago.setting_number('max_sub_batches'),
      may_defer => deferrals < imago.setting_number('deferrals'));
    result.sqlstate := attempt.sqlstate;
    result.error_code := attempt.error_code;
    result.error_detail := attempt.error_detail;
    result.failed := result.failed + cardinality(failure.aside);
    aside := aside || failure.aside;
    if failure.outcome = 'halve' then
      ends := ends || (first + (last - first) / 2);
    elsif failure.outcome = 'again' then
      again := true;
    else
      result.outcome := failure.outcome;
      if attempt.outcome = 'timeout' then
        result.next_size := imago.size_after_timeout(cardinality(segment));
        first := case when failure.aside = '{}' then first else last + 1 end;
      end if;
      exit;
    end if;
  end loop;
  result.resolved := first - 1;
  return result;
end
$$;
comment on function imago.move_keys(imago.run, imago.plan, text[], text, integer, timestamptz, integer, integer, imago.plan_check) is 'Moves a list of entities in its order until it is done or the call''s budget is. Halves down to bad entities, sets them aside, keeps the rest. Starts with sub-batches of size and lets them grow.';

-- imago.move_window
create or replace function imago.move_window(plan_name text, batch_size integer, batch_offset integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  keys text[];
  todo text[];
  moves imago.moves;
  ending imago.moves;
  next_offset bigint;
  status text := 'working';
  attempts_left integer := imago.setting_number('max_sub_batches');
  started timestamptz := clock_timestamp();
begin
  if batch_size is null or batch_offset is null then
    perform imago.raise_error('IM004', case when batch_size is null then 'batch_size' else 'batch_offset' end);
  end if;
  perform imago.expect_size(batch_size);
  if batch_offset < 0 then
    perform imago.raise_error('IM003', batch_offset::text);
  end if;
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward') || jsonb_build_object('next_offset', batch_offset);
  end if;
  plan := imago.followed_plan(plan_name);
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);

  execute format(
    'select coalesce(array_agg(k::text order by k), ''{}'') from (select %1$I as k from %2$s order by %1$I limit $1 offset $2) window_keys',
    plan.key_column, plan.source)
  into keys using batch_size, batch_offset;
  select coalesce(array_agg(k order by n), '{}') into todo
  from unnest(imago.pending_or_unknown(plan, keys)) with ordinality p(k, n)
  where k not in (select imago.set_aside_keys(plan_name, 'forward', false));
  -- Sub-batches start small: a window keeps no size from call to call, and one that timed out whole would do so again.
  -- No deferrals are left: what is blocked in a window is set aside at once, the others move.
  moves := imago.move_keys(run, plan, todo, 'window', 1, imago.call_deadline(6000), attempts_left, imago.setting_number('deferrals'));
  next_offset := batch_offset;
  if moves.outcome = 'done' then
    next_offset := imago.next_window(plan, batch_offset, cardinality(keys), moves.moved > 0);
  end if;

  if moves.outcome in ('budget', 'stop') then
    status := imago.stop_run(run, case moves.outcome when 'budget' then 'IM020' else moves.error_code end, moves.error_detail);
  elsif next_offset is null then
    perform imago.close_lanes(run.id);
    while imago.build_indexes(run, 'infinity') = 'built' loop end loop;
    -- What the checks at the end have found is looked at twice: something may have come meanwhile.
    for round in 1 .. 3 loop
      ending := imago.finish_run(run, plan, imago.call_deadline(7000), attempts_left - moves.attempts);
      moves.moved := moves.moved + ending.moved;
      moves.rows := imago.add_counts(moves.rows, ending.rows);
      exit when ending.outcome <> 'working' or ending.moved > 0;
    end loop;
    status := 'done';
    -- Transactions in flight may bring more, or have brought more just now. In all other cases nothing is pending.
    if ending.outcome not in ('done', 'busy', 'incomplete') then
      status := case ending.outcome when 'deferred' then 'deferred' else 'working' end;
      next_offset := batch_offset;
    end if;
  end if;
  perform imago.expect_visible(plan_name);
  return jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'status', status, 'processed', cardinality(keys), 'migrated', moves.moved,
    'skipped', greatest(0, cardinality(keys) - moves.moved - moves.failed), 'failed', moves.failed,
    'has_more', next_offset is not null, 'next_offset', next_offset, 'rows', moves.rows,
    'retry_after_ms', case when status in ('busy', 'deferred') then 200 else 0 end,
    'findings', (select r.findings from imago.run r where r.id = run.id),
    'error', case when status = 'failed' then imago.run_error(imago.last_run(plan_name)) end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1));
end
$$;
comment on function imago.move_window(text, integer, integer) is 'Moves the entities of one window over all entities in key order, and says where work is left.';

-- imago.moved_by_runs
create or replace function imago.moved_by_runs(plan_name text, direction text, stage integer, after_run bigint, up_to_run bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce(sum(m.moved), 0)::bigint
  from imago.run r
  cross join lateral (
    select l.moved from imago.lane l where l.run = r.id and l.stage = moved_by_runs.stage
    union all
    -- Windows go past the lanes.
    select b.moved from imago.batch b where b.run = r.id and b.path = 'window' and moved_by_runs.stage = 1
  ) m
  where r.plan = plan_name and r.direction = moved_by_runs.direction and r.validation is null and r.id > coalesce(after_run, 0) and r.id <= up_to_run
$$;
comment on function imago.moved_by_runs(text, text, integer, bigint, bigint) is 'Entities of a stage that runs of one direction have moved, of those after a run and up to another.';

-- imago.moved_columns
create or replace function imago.moved_columns(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with written as (
    select w.relation, w.columns from imago.plan_write w where w.plan = moved_columns.plan.name and w.columns <> '{}'
    union all
    -- A plan may declare its writes only when it is prepared.
    select r::text, '{}' from imago.plan_relations(plan) r
    where not exists (select from imago.plan_write w where w.plan = moved_columns.plan.name)
  )
  select distinct 'notice', 'side_effect', format('%s.%I', pg_catalog.to_regclass(w.relation), a.attname),
    format('trigger %I changes it when the plan writes the row', t.tgname),
    'It is journaled beside, and goes back with the row unless somebody changes it meanwhile.'
  from written w
  cross join lateral imago.written_tables(w.relation) r
  join pg_catalog.pg_trigger t on t.tgrelid = r and t.tgparentid = 0 and not t.tgisinternal and t.tgenabled <> 'D'
    and t.tgtype & 19 = 19 and not imago.is_ours(t.tgfoid)
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_attribute a on a.attrelid = t.tgrelid and a.attnum > 0 and not a.attisdropped
    and a.attname <> all (w.columns) and a.attname <> all (imago.touch_columns(w.relation, w.columns))
  where regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g')
    ~* ('\mnew\."?' || regexp_replace(a.attname, '\W', '\\\&', 'g') || '"?\s*:?=[^=]')
$$;
comment on function imago.moved_columns(imago.plan) is 'Columns that the plan does not declare and that triggers of the app set in rows which it writes, by their text.';

-- imago.moves_query
create or replace function imago.moves_query(columns text[])
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'select coalesce(jsonb_agg(jsonb_build_array(to_jsonb(o.v), to_jsonb(n.v)) order by o.i), ''[]'')
     from (select %1$s as v, row_number() over () as i from old_rows r) o
     full join (select %1$s as v, row_number() over () as i from new_rows r) n on n.i = o.i
     where o.v is distinct from n.v',
    (select format('array[%s]::text[]', string_agg(format('r.%I::text', c), ', ' order by n)) from unnest(columns) with ordinality u(c, n)))
$$;
comment on function imago.moves_query(text[]) is 'SQL for a trigger: these columns of each row in which one of them has changed, before and after. They come in the order of the statement, in which old and new rows are the same.';

-- imago.name_now
create or replace function imago.name_now(plan text, relation text, name text default null)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    (select case when name_now.name is null then quote_ident(s.nspname) || '.' || quote_ident(c.relname) else a.attname end
     from imago.declared d
     join pg_catalog.pg_class c on c.oid = d.relation_id
     join pg_catalog.pg_namespace s on s.oid = c.relnamespace
     left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.number and d.number > 0 and not a.attisdropped
     where d.plan = name_now.plan and d.relation = name_now.relation and d.name = coalesce(name_now.name, '')
       and d.noted_in = 'imago.declared'::pg_catalog.regclass),
    name_now.name, name_now.relation)
$$;
comment on function imago.name_now(text, text, text) is 'What a table of a plan (name null), or a column of it, is called now. Between a rename by the app and the next call it is called otherwise than declared.';

-- imago.name_of
create or replace function imago.name_of(relation oid)
returns text
language sql
stable
set search_path = ''
as $$
  select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = name_of.relation
$$;
comment on function imago.name_of(oid) is 'A table as SQL writes it, with its schema.';

-- imago.named_schemas
create or replace function imago.named_schemas(plan imago.plan)
returns setof text
language sql
stable
set search_path = ''
as $$
  select n.nspname::text
  from (
    select plan.source_schema as name
    union select t.source_schema from imago.plan_stage t where t.plan = named_schemas.plan.name
    union select (parse_ident(w.relation))[1] from imago.plan_write w where w.plan = named_schemas.plan.name
    union select (parse_ident(s.relation))[1] from imago.plan_sync s where s.plan = named_schemas.plan.name
  ) s
  join pg_catalog.pg_namespace n on n.nspname = s.name
$$;
comment on function imago.named_schemas(imago.plan) is 'The schemas of the tables that a plan walks, writes and follows.';

-- imago.needs_keep
create or replace function imago.needs_keep(write imago.plan_write)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (select from imago.written_tables(write.relation) t where imago.has_app_trigger(t))
$$;
comment on function imago.needs_keep(imago.plan_write) is 'Whether triggers of the app may change columns of this relation that the plan does not declare.';

-- imago.new_checks
create or replace function imago.new_checks(plan imago.plan, phase text, run_id bigint)
returns table (plan_check integer, place integer, applicable boolean, done boolean, total bigint)
language sql
volatile
set search_path = ''
as $$
  select c.id, (row_number() over (order by c.plan is not null, c.position))::integer, a.applicable, not a.applicable,
    (case when c.source is null then 1 else greatest(1, imago.estimated_rows(c.source)) end)::bigint
  from imago.plan_check c
  cross join lateral (select imago.is_applicable(c) as applicable) a
  where coalesce(c.plan, plan.name) = plan.name
    and (run_id is null or c.severity = 'error')
    and (c.phase = new_checks.phase or c.phase = 'during' and new_checks.phase = 'after')
$$;
comment on function imago.new_checks(imago.plan, text, bigint) is 'The checks of a new validation in this phase, in their order. run_id: those that must not fail, for the end of a run.';

-- imago.next_look_ms
create or replace function imago.next_look_ms(governor imago.governor)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  return greatest(1, 1000 * extract(epoch from
    governor.looked_at + make_interval(secs => imago.setting_number('look_ms') / 1000.0) - clock_timestamp()))::integer;
end
$$;
comment on function imago.next_look_ms(imago.governor) is 'Milliseconds until the next look is due.';

-- imago.next_rows
create or replace function imago.next_rows(run imago.run, plan imago.plan, lane imago.lane, out keys text[], out places text[], out rows bigint)
language plpgsql
volatile
set search_path = ''
as $$
declare
  cursor_key text := coalesce(lane.cursor_key, lane.lower_key);
  relation text := plan.source;
begin
  if not lane.by_block then
    if run.direction = 'rollback' then
      -- As many as are wanted of each undo table of the stage.
      select format('(%s)', coalesce(
        string_agg(format('(select distinct entity from imago_undo.%I where %s order by 1 limit $3)',
          w.undo_table, imago.walk_range('entity', plan.key_type, cursor_key, lane.upper_key)), ' union '),
        format('select null::%s as entity where false', plan.key_type)))
        into relation
      from imago.stage_writes(plan) w;
    end if;
    keys := imago.walk_keys(relation, case run.direction when 'forward' then plan.key_column else 'entity' end,
      plan.key_type, cursor_key, lane.upper_key, lane.batch_size);
    places := keys;
    rows := cardinality(keys);
    return;
  end if;
  -- In the journal an entity can have several rows. It is done with its last one: what lies before that is behind the cursor then.
  execute (
    select format(
      'select array_agg(n.k::text order by n.place), array_agg(n.place::text order by n.place), sum(n.rows) from (
         select r.k, max(r.place) as place, count(*) as rows from (
           select %1$I as k, ctid as place from %2$I.%3$I where ctid > $1::tid and ctid <= $2::tid order by ctid limit $3) r
         group by r.k) n',
      w.key_column, w.relation_schema, w.relation_name)
    from imago.walked_rows(run, plan) w)
  into keys, places, rows using cursor_key, lane.upper_key, lane.batch_size;
end
$$;
comment on function imago.next_rows(imago.run, imago.plan, imago.lane, out text[], out text[], out bigint) is 'The next keys of a lane, and for each the place that the cursor is at once it is done: the key itself, or a ctid. rows: how many were read, batch_size of them or what is left. Null at the end of the lane.';

-- imago.next_size
create or replace function imago.next_size(size integer, took interval, fixed_size integer)
returns integer
language sql
stable
set search_path = ''
as $$
  -- A quarter of a short statement timeout at most: call_deadline begins no sub-batch that could not end in time.
  with target as (
    select least(
      imago.setting_number('sub_batch_ms'),
      250 * nullif(extract(epoch from current_setting('statement_timeout')::interval), 0)) as ms
  )
  select case
    when size >= fixed_size then fixed_size
    else greatest(1, least(
      coalesce(fixed_size, 10000),
      size * least(4.0, greatest(0.25, t.ms / greatest(1.0, extract(epoch from took) * 1000)))))::integer
  end
  from target t
$$;
comment on function imago.next_size(integer, interval, integer) is 'Size of the next sub-batch: towards sub_batch_ms, at most four times as large, at once as small as needed. A size that the caller has fixed is only reached again in the same way after a timeout.';

-- imago.next_stage
create or replace function imago.next_stage(run imago.run, plan imago.plan)
returns imago.plan
language sql
stable
set search_path = ''
as $$
  select s.*
  from (
    select 1 as number
    union all
    select t.number from imago.plan_stage t where t.plan = next_stage.plan.name
    union all
    select w.stage from imago.plan_write w
    where run.direction = 'rollback' and w.plan = next_stage.plan.name and w.entity_column is null and w.undo_table is not null
  ) n
  cross join lateral imago.plan_at_stage(next_stage.plan, n.number) s
  where not exists (select from imago.lane l where l.run = next_stage.run.id and l.stage = n.number)
  order by case run.direction when 'forward' then n.number else -n.number end
  limit 1
$$;
comment on function imago.next_stage(imago.run, imago.plan) is 'The stage whose lanes are to be cut next; null when all have been begun. Forward from the first, back from the last to the shared rows.';

-- imago.next_step
create or replace function imago.next_step(plan_name text, phase text)
returns imago.plan_step
language sql
stable
set search_path = ''
as $$
  select s.* from imago.plan_step s
  where s.plan = plan_name and s.phase = next_step.phase and s.done_at is null
    and coalesce(s.only_after = case when imago.is_finalized(plan_name) then 'finalize' else 'rollback' end, true)
  order by s.position
  limit 1
$$;
comment on function imago.next_step(text, text) is 'The first step of a phase that is not done, or null; of clean-up those only that are for this end of the plan.';

-- imago.next_walk_size
create or replace function imago.next_walk_size(size integer, took_ms numeric, aim_ms integer default null)
returns integer
language sql
stable
set search_path = ''
as $$
  select greatest(least(size, 10), least(200000,
    size * least(8.0, greatest(0.0625, coalesce(aim_ms, imago.setting_number('sub_batch_ms')) / greatest(1.0, took_ms)))))::integer
$$;
comment on function imago.next_walk_size(integer, numeric, integer) is 'Rows of the next piece: towards aim_ms or, without, sub_batch_ms, at most eight times as many. Not below 10 unless a statement timeout has cut it so small: what a piece costs at any size would only come up more often.';

-- imago.next_window
create or replace function imago.next_window(plan imago.plan, batch_offset bigint, size integer, moved boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  first_key text;
  result bigint;
  pending constant text := format(
    'select p.entity::text from %1$I.pending p
     where p.entity::text not in (select imago.set_aside_keys($1, ''forward''))
       -- What no window can reach is left to the end of the run.
       and exists (select from %2$s s where s.%3$I = p.entity)', plan.name, plan.source, plan.key_column);
  boundary text;
begin
  execute format('select %1$I::text from %2$s order by %1$I limit 1 offset $1', plan.key_column, plan.source)
    into boundary using batch_offset + size;
  if boundary is not null then
    execute pending || format(' and p.entity >= $2::%s order by p.entity limit 1', plan.key_type) into first_key using plan.name, boundary;
  end if;
  if first_key is null then
    execute pending || ' order by p.entity limit 1' into first_key using plan.name;
  end if;
  if first_key is null then
    return null;
  end if;
  execute format('select count(*) from %s where %I < $1::%s', plan.source, plan.key_column, plan.key_type) into result using first_key;
  return result;
exception when query_canceled then
  -- What the window has moved is worth more than knowing where the next one is; but going round in circles is worth nothing.
  if not imago.timed_out() or not moved then
    raise;
  end if;
  return case when boundary is null then 0 else batch_offset + size end;
end
$$;
comment on function imago.next_window(imago.plan, bigint, integer, boolean) is 'Offset of the first pending entity behind a window, else of the first anywhere; null when nothing is left. The truth, unless looking for it does not fit the call that has moved something: then simply the next offset.';

-- imago.nobody
create or replace function imago.nobody(undo_table text)
returns text
language sql
stable
set search_path = ''
as $$
  select case imago.entity_type(undo_table)
    when 'uuid' then '00000000-0000-0000-0000-000000000000'
    when 'smallint' then '-32768'
    when 'integer' then '-2147483648'
    when 'bigint' then '-9223372036854775808'
    else '' end
$$;
comment on function imago.nobody(text) is 'The key under which an undo table has rows that belong to no entity: one that nobody has.';

-- imago.note_added
create or replace function imago.note_added(plan text, object text, column_name text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  address record;
  described record;
  said text;
begin
  select * into address from imago.object_address(object, column_name);
  if address.id is null then
    perform imago.raise_error('IM015', 'object', concat_ws('.', object, quote_ident(column_name)), 'a table, an index, a type, or a column of a table, that is there');
  end if;
  if coalesce(pg_catalog.col_description(address.id, nullif(address.column_number, 0)),
              case address.column_number when 0 then pg_catalog.obj_description(address.id, address.class::pg_catalog.regclass::text) end) is null then
    said := format('Added by Imago plan %s.', plan);
    select * into described from pg_catalog.pg_identify_object(address.class, address.id, address.column_number);
    execute format('comment on %s %s is %L', case address.column_number when 0 then described.type else 'column' end, described.identity, said);
  end if;
  perform imago.note_object(plan, address.class, address.id, address.column_number, said);
end
$$;
comment on function imago.note_added(text, text, text) is 'For plans: notes that a prepare step has just added a table, an index, a type or, with column_name, a column. Clean-up knows it by that, and by that only; people by the comment that it gets, if it has none.

Example: select imago.note_added(''initials'', ''public.users'', ''initials'')';

-- imago.note_counted
create or replace function imago.note_counted(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Late passes and windows do not come to all rows.
  if run.direction = 'rollback' or run.late_only or not imago.is_estimated(plan)
     or exists (select from imago.batch b where b.run = note_counted.run.id and b.path = 'window') then
    return;
  end if;
  update imago.run_stage t set counted = f.total, walked = w.rows, stated_rows = imago.estimated_rows(s.source)
  from imago.plan_stages(plan) s
  join imago.stage_figures(plan) f on f.stage = s.stage
  cross join lateral (
    select sum(l.processed) as rows from imago.lane l where l.run = note_counted.run.id and l.stage = s.stage and l.pass = 'main') w
  where t.run = note_counted.run.id and t.stage = s.stage and w.rows > 0;
end
$$;
comment on function imago.note_counted(imago.run, imago.plan) is 'Keeps what the walk of a large table has come to count, at the end of a run forward, for the figures after it.';

-- imago.note_failed_sync
create or replace function imago.note_failed_sync(sync imago.plan_sync, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- In the app's transaction, so nobody is waited for: what another one is writing about the same entities stays beside ours
  -- until the next time.
  delete from imago.sync_failure f
  where f.id in (
    select o.id from imago.sync_failure o
    where o.plan = sync.plan and o.stage = sync.stage and o.entity = any (note_failed_sync.entities)
    order by o.id for update skip locked);
  insert into imago.sync_failure (plan, stage, entity, relation)
  select sync.plan, sync.stage, k, sync.relation from unnest(note_failed_sync.entities) k;
end
$$;
comment on function imago.note_failed_sync(imago.plan_sync, text[]) is 'Notes for each entity which sync has failed for it last: one row an entity.';

-- imago.note_object
create or replace function imago.note_object(plan text, class oid, id oid, column_number integer, comment text default null)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.added as a (plan, type, names, arguments, object_id, column_number, noted_in, comment)
  select note_object.plan, o.type, o.object_names, o.object_args, id, note_object.column_number, 'imago.added'::pg_catalog.regclass, note_object.comment
  from pg_catalog.pg_identify_object_as_address(class, id, note_object.column_number) o
  on conflict (type, names, arguments) do update set
    plan = excluded.plan, object_id = excluded.object_id, column_number = excluded.column_number, noted_in = excluded.noted_in, comment = excluded.comment
$$;
comment on function imago.note_object(text, oid, oid, integer, text) is 'Notes an object, by its address, as added by a plan, or by the engine (plan null).';

-- imago.note_schema
create or replace function imago.note_schema(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  known jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(d)), '[]') into known from imago.declared d where d.plan = plan_name;
  delete from imago.declared d where d.plan = plan_name;
  insert into imago.declared (plan, relation, name, first_relation, first_name, relation_id, number, type, labels, noted_in)
  select plan_name, r.relation, coalesce(a.attname, ''), coalesce(k.first_relation, r.relation), coalesce(k.first_name, a.attname, ''),
    r.oid, coalesce(a.attnum, 0),
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    (select jsonb_object_agg(e.oid, e.enumlabel) from pg_catalog.pg_enum e where e.enumtypid = imago.enum_behind(a.atttypid)),
    'imago.declared'::pg_catalog.regclass
  from (
    select d.relation, pg_catalog.to_regclass(d.relation) as oid from imago.declared_relations(plan_name) d(relation)
  ) r
  cross join lateral (
    select null::name as attname, 0::smallint as attnum, null::oid as atttypid, null::integer as atttypmod
    union all
    select c.attname, c.attnum, c.atttypid, c.atttypmod from pg_catalog.pg_attribute c
    where c.attrelid = r.oid and c.attnum > 0 and not c.attisdropped and c.attgenerated = ''
  ) a
  left join jsonb_to_recordset(known) k(relation text, name text, number integer, first_relation text, first_name text, noted_in oid)
    on k.relation = r.relation
      -- After a restore from a dump numbers are others, and names count.
      and case when k.noted_in = 'imago.declared'::pg_catalog.regclass then k.number = coalesce(a.attnum, 0) else k.name = coalesce(a.attname, '') end
  where r.oid is not null;
end
$$;
comment on function imago.note_schema(text) is 'Notes the tables of a plan and their columns as they are, by what the catalogue knows them by. What they were called at first stays.';

-- imago.note_strays
create or replace function imago.note_strays(write imago.plan_write, entities text[])
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set enable_seqscan = off
as $$
begin
  execute format(
    'insert into imago.stray_row (plan, relation, stage, row_key, entity)
     select distinct w.plan, w.relation, w.stage, array[%1$s], j.entity::text
     from imago.plan_write w, imago_undo.%2$I j
     where w.id = $2 and j.entity = any ($1::%3$s[])
       and not exists (
         select from imago.stray_row s
         where s.plan = w.plan and s.relation = w.relation and s.row_key = array[%1$s] and s.entity = j.entity::text)',
    imago.each_column('j.key_%1$s::text', write.relation, write.key_columns), write.undo_table, imago.entity_type(write.undo_table))
  using entities, write.id;
end
$$;
comment on function imago.note_strays(imago.plan_write, text[]) is 'Notes the journaled rows of entities that got new keys. The rows name them as before, for no foreign key has followed.';

-- imago.note_unreachable
create or replace function imago.note_unreachable(run imago.run, plan imago.plan, entities text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  why constant text := case when entities[1] is null
    then 'the view pending lists rows whose entity is null'
    else format('the view pending lists it, and %s has no such key', plan.source) end;
  result bigint;
begin
  insert into imago.failure as f (plan, run, stage, entity, kind, direction, table_name, reason)
  select run.plan, run.id, plan.stage, e, 'unreachable', run.direction, plan.source_table, why
  from unnest(entities) e
  on conflict do nothing;
  get diagnostics result = row_count;
  if result > 0 then
    -- One line, however many they are.
    perform imago.write_log(run.plan, run.id, 'error', 'unreachable',
      jsonb_build_object('count', result, 'keys', to_jsonb(entities[1:10]), 'reason', why) || imago.stage_label(plan.stage),
      case when result = 1 then entities[1] end);
  end if;
  return result;
end
$$;
comment on function imago.note_unreachable(imago.run, imago.plan, text[]) is 'Records entities of a stage as unreachable and says how many of them are new.';

-- imago.note_usual
create or replace function imago.note_usual(governor imago.governor, readings imago.reading[])
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
declare
  entity_ms numeric := (select r.value from unnest(readings) r where r.signal = 'pace');
begin
  governor.usual_active := coalesce(governor.usual_active, (select r.value from unnest(readings) r where r.signal = 'active'));
  governor.usual_entity_ms := coalesce(governor.usual_entity_ms + (entity_ms - governor.usual_entity_ms) / 50, entity_ms, governor.usual_entity_ms);
  if governor.checkpoints_at is null or governor.checkpoints_at < clock_timestamp() - interval '5 minutes' then
    governor.checkpoints := imago.requested_checkpoints();
    governor.checkpoints_at := clock_timestamp();
  end if;
  return governor;
end
$$;
comment on function imago.note_usual(imago.governor, imago.reading[]) is 'Keeps what later looks compare with: usual activity, usual pace, checkpoints of five minutes ago.';

-- imago.nulled_relations
create or replace function imago.nulled_relations(plan imago.plan, target text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(distinct p.relation), '{}')
  from imago.referencing_columns(plan.name, target) p
  where (p.pointing).id is not null and imago.is_nulled(p.relation, p.columns[1], target)
$$;
comment on function imago.nulled_relations(imago.plan, text) is 'Relations with a declared column that points at rows of the target and that foreign keys set null with such a row.';

-- imago.object_address
create or replace function imago.object_address(object text, column_name text, out class oid, out id oid, out column_number integer)
language sql
stable
set search_path = ''
as $$
  select
    case when r.routine is not null then 'pg_catalog.pg_proc'::pg_catalog.regclass
      when r.relation is not null then 'pg_catalog.pg_class'::pg_catalog.regclass
      else 'pg_catalog.pg_type'::pg_catalog.regclass end,
    case when r.is_routine then r.routine
      when object_address.column_name is null or a.attnum is not null then coalesce(r.relation, pg_catalog.to_regtype(object)) end,
    coalesce(a.attnum, 0)
  from (
    -- PostgreSQL 15 raises an error where a name is none of the kind.
    select n.is_routine,
      case when n.is_routine then pg_catalog.to_regprocedure(object)::oid end as routine,
      case when not n.is_routine then pg_catalog.to_regclass(object)::oid end as relation
    from (select right(object, 1) = ')' as is_routine) n
  ) r
  left join pg_catalog.pg_attribute a
    on a.attrelid = r.relation and a.attname = object_address.column_name and a.attnum > 0 and not a.attisdropped
$$;
comment on function imago.object_address(text, text, out oid, out oid, out integer) is 'Where the catalogue keeps a table, index, type, function or, with column_name, a column; id is null if there is none.';

-- imago.open_fix_run
create or replace function imago.open_fix_run(plan imago.plan, validation_id bigint)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
begin
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    insert into imago.run as r (plan, direction, late_only, validation)
    values (plan.name, 'forward', true, validation_id)
    on conflict do nothing
    returning r.* into run;
    if run.id is not null then
      perform imago.reopen_plan(plan.name, 'forward');
    end if;
  exception when lock_not_available or deadlock_detected then
    perform imago.raise_error('IM016', plan.name);
  end;
  if run.id is null then
    run := imago.unfinished_run(plan.name);
    perform imago.raise_error('IM027', plan.name, coalesce(run.direction, 'forward'), coalesce(run.state, 'running'));
  end if;
  perform imago.expect_visible(plan.name);
  perform imago.follow_schema(plan.name);
  perform imago.start_run(run.id);
  -- Nothing is walked; the lanes are there for retry_failed_migrations, which opens them again.
  perform imago.close_lanes(run.id);
  select r.* into run from imago.run r where r.id = run.id;
  return run;
end
$$;
comment on function imago.open_fix_run(imago.plan, bigint) is 'A forward run for the fixes of one call; IM027 where another run is unfinished, IM016 where one is just being opened.';

-- imago.open_run
create or replace function imago.open_run(
  plan_name text,
  direction text,
  backup boolean default true,
  max_failures text default null,
  on_failure text default 'stop',
  force boolean default false,
  caused_by bigint default null
)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
  last imago.run;
begin
  loop
    last := imago.last_run(plan_name);
    -- Whoever has created a run and not committed it yet is waited for, a bounded time.
    begin
      perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
      insert into imago.run as r (plan, direction, backup, max_failures, on_failure, force, caused_by, late_only)
      values (plan_name, direction, backup, max_failures, on_failure, force, caused_by,
              coalesce(direction = 'forward' and last.direction = 'forward'
                       and (last.state = 'succeeded' or last.state = 'failed' and last.error_code = 'set_aside'), false))
      on conflict do nothing
      returning r.* into run;
      if run.id is not null then
        perform imago.reopen_plan(plan_name, direction);
      end if;
    exception when lock_not_available or deadlock_detected then
      perform imago.raise_error('IM016', plan_name);
    end;
    exit when run.id is not null;
    run := imago.unfinished_run(plan_name);
    -- Null when that run has ended meanwhile.
    if run.id is not null then
      return run;
    end if;
  end loop;
  perform imago.write_log(plan_name, run.id, 'info', 'run',
    jsonb_build_object('direction', direction, 'backup', backup, 'force', force, 'on_failure', on_failure, 'max_failures', max_failures));
  return run;
end
$$;
comment on function imago.open_run(text, text, boolean, text, text, boolean, bigint) is 'Creates a run, or returns the unfinished one that another caller has just created; IM016 while that is not committed.';

-- imago.open_schemas
create or replace function imago.open_schemas()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  schemas name[];
begin
  perform set_config('search_path', imago.app_search_path(), true);
  schemas := pg_catalog.current_schemas(false);
  perform pg_catalog.set_config('search_path', '', true);
  return query
    select 'warning', 'open_schema', format('schema %I', n.nspname),
      format('is open to %s: what they create there may be called by code of the app that runs with the rights of %s', string_agg(
        case a.grantee when 0 then 'everybody' else quote_ident(r.rolname) end, ', ' order by r.rolname), current_user),
      format('revoke create on schema %I from %s;', n.nspname, string_agg(
        case a.grantee when 0 then 'public' else quote_ident(r.rolname) end, ', ' order by r.rolname))
    from unnest(schemas) with ordinality s(name, place)
    join pg_catalog.pg_namespace n on n.nspname = s.name
    cross join lateral pg_catalog.aclexplode(n.nspacl) a
    left join pg_catalog.pg_roles r on r.oid = a.grantee
    where a.privilege_type = 'CREATE'
      and a.grantee <> n.nspowner
      -- Those of the platform may create wherever they want, with or without this.
      and (a.grantee = 0 or not r.rolsuper and r.rolname not in (current_user, 'postgres', 'dashboard_user') and r.rolname !~ '^(supabase_.*admin|pg_.*)$')
    group by n.nspname, s.place
    order by s.place;
end
$$;
comment on function imago.open_schemas() is 'Schemas of the app''s search_path in which others than their owner and the platform may create. A function of theirs could be called by code of the app in place of its own.';

-- imago.open_to
create or replace function imago.open_to(acl aclitem[])
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(distinct role order by role), '{}')
  from (
    select case when a.grantee = 0 then 'public' else a.grantee::pg_catalog.regrole::text end as role from aclexplode(acl) a
  ) granted
  where role in ('public', 'anon', 'authenticated')
$$;
comment on function imago.open_to(aclitem[]) is 'Who of everybody (public, anon, authenticated) a privilege was granted to.';

-- imago.others_at_work
create or replace function imago.others_at_work(run_id bigint)
returns boolean
language sql
volatile
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.granted and l.mode = 'ShareLock' and l.objsubid = 1 and l.pid <> pg_catalog.pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(run_id))
$$;
comment on function imago.others_at_work(bigint) is 'Whether another session is working on a run at this moment: each call holds the gate of its run shared.';

-- imago.over_budget
create or replace function imago.over_budget(run imago.run)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select imago.count_failed(run.id) > imago.allowed_failures(run));
end
$$;
comment on function imago.over_budget(imago.run) is 'Whether more entities have failed in this run than max_failures allows.';

-- imago.overlap_problems
create or replace function imago.overlap_problems(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with others as (
    -- Plans that write, or may go back: prepared, and not closed by finalize.
    select o.* from imago.plan o
    where o.name <> overlap_problems.plan.name and o.closed_at is null
      and (o.prepared_at is not null or exists (select from imago.plan_write w where w.plan = o.name and w.captured_at is not null))
  ), pairs as (
    select own.relation, own.columns, own.inserts, other.plan as other_plan, other.columns as other_columns, other.inserts as other_inserts
    from imago.plan_write own
    join imago.plan_write other on pg_catalog.to_regclass(other.relation) = pg_catalog.to_regclass(own.relation)
    join others o on o.name = other.plan
    where own.plan = overlap_problems.plan.name
  ), walked as (
    select s.source as relation, overlap_problems.plan.name as walks, o.name as drops
    from imago.plan_stages(overlap_problems.plan) s cross join others o
    union all
    select s.source, o.name, overlap_problems.plan.name
    from others o cross join lateral imago.plan_stages(o) s
  )
  select 'warning', 'overlap', format('%s.%I', p.relation, c),
    format('is written by plan %s, too: the plan that goes back first takes what the other wrote for a later change', p.other_plan),
    format('Let plan %s end first (finalize_migration), or take the two back in the opposite order.', p.other_plan)
  from pairs p cross join unnest(p.columns) c where c = any (p.other_columns)
  union all
  select 'warning', 'overlap', p.relation,
    case when p.inserts and p.other_inserts then format('gets rows from plan %s, too: each takes back its own, and may refuse to where the other has changed or refers to them', p.other_plan)
      when p.inserts then format('is updated by plan %s: rows that this plan inserts and that one updates count as edited when they go back', p.other_plan)
      else format('gets rows from plan %s: those that this plan updates count as edited when they go back', p.other_plan) end,
    format('Let plan %s end first (finalize_migration), or take the two back in the opposite order.', p.other_plan)
  from pairs p where p.inserts and (p.other_inserts or p.other_columns <> '{}') or p.other_inserts
  union all
  -- What a step drops only its text tells.
  select distinct 'warning', 'overlap', w.relation,
    format('is walked by plan %s, and plan %s drops something there when it is finalized (step "%s")', w.walks, w.drops, s.name),
    format('Let plan %s end before plan %s is finalized.', w.walks, w.drops)
  from walked w
  join imago.plan_step s on s.plan = w.drops and s.phase = 'finalize'
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
  cross join lateral (
    select coalesce(s.statement, '') || coalesce((
      select string_agg(r.prosrc, ' ') from pg_catalog.pg_proc r
      where r.pronamespace = pg_catalog.to_regnamespace(quote_ident(s.plan)) and r.proname = s.routine), '') as text) does
  where does.text ~* '\mdrop\s+(table|column|view)\M' and position(c.relname in does.text) > 0
$$;
comment on function imago.overlap_problems(imago.plan) is 'Where another plan that is on writes the same column or table, or drops what is walked. Whoever prepares second is told.';

-- imago.own_schemas
create or replace function imago.own_schemas()
returns name[]
language sql
stable
set search_path = ''
as $$
  select array_agg(n.nspname order by n.nspname)
  from pg_catalog.pg_namespace n
  where n.nspname in ('imago', 'imago_undo') or exists (select from imago.plan p where p.name = n.nspname)
$$;
comment on function imago.own_schemas() is 'The schemas that belong to Imago: its own, that of the journal, and one a plan.';

-- imago.owner_remedy
create or replace function imago.owner_remedy(owner oid)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when imago.may_grant_role(r.oid) then format('grant %I to %I;', r.rolname, current_user)
    when r.rolsuper or r.rolname ~ '^(supabase_|pg_)' or r.rolname in ('authenticator', 'dashboard_user', 'pgbouncer') then
      'Only a superuser could change that, and Supabase gives you none. Keep what the plan needs in a table of your own that refers to this one, filled by a trigger on it, and have the plan walk yours.'
    else format('Have a role that may grant %1$I do it: grant %1$I to %2$I;', r.rolname, current_user) end
  from pg_catalog.pg_roles r where r.oid = owner_remedy.owner
$$;
comment on function imago.owner_remedy(oid) is 'What to do where something belongs to a role that the current user is no member of. What Supabase keeps for itself cannot be had.';

-- imago.owner_sql
create or replace function imago.owner_sql(write imago.plan_write, row_name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  owner constant text := coalesce(write.entity_column, write.key_columns[1]);
  kept constant text := imago.entity_type(write.undo_table);
begin
  if not exists (
    select from imago.journal_columns(write.relation, array[owner]) c where c.nullable) then
    return format('%I.%I', row_name, owner);
  end if;
  -- A trigger of the app may write rows that belong to nobody. They are kept under a key that nobody has, for one entity must have all
  -- that became of a row.
  return format('coalesce(%I.%I::%s, %L::%3$s)', row_name, owner, kept, imago.nobody(write.undo_table));
end
$$;
comment on function imago.owner_sql(imago.plan_write, text) is 'SQL: the entity under which the journal has a row (its name in the query) of a declared relation. Where its entity column is null, a key that nobody has.';

-- imago.partition_problems
create or replace function imago.partition_problems(relation text, purpose text)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'partitioned', relation, 'is partitioned', purpose
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(relation) and c.relkind = 'p'
$$;
comment on function imago.partition_problems(text, text) is 'For plans: an error where a table is partitioned. purpose says what cannot be done there.

Example: select * from imago.partition_problems(''public.avatars'', ''It could have no unique index.'')';

-- imago.pause_fields
create or replace function imago.pause_fields(plan text, outcome text, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  share numeric := (select g.share from imago.governor g where g.plan = pause_fields.plan);
begin
  return jsonb_build_object('health', imago.health_json(plan))
    -- The rest of the time is slept by the caller, never in the transaction.
    || case when outcome = 'working' and share > 0 and share < 1 then jsonb_build_object(
      'retry_after_ms', least(5000, ceil(1000 * extract(epoch from clock_timestamp() - started) * (1 / share - 1)))) else '{}' end;
end
$$;
comment on function imago.pause_fields(text, text, timestamptz) is 'What an answer says of the governor: the field health and, where its share is less than all, when to call again.';

-- imago.pending_figures
create or replace function imago.pending_figures(plan imago.plan, most bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  counted bigint;
  result jsonb := '{}';
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    counted := null;
    if imago.timed_out() is not true and (most is null or imago.estimated_rows(staged.source) <= most) then
      begin
        counted := imago.count_stage(staged);
      exception when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
      end;
    end if;
    result := result || jsonb_build_object(staged.stage, jsonb_build_object(
      'pending', coalesce(counted, imago.estimate_stage(staged)), 'is_estimate', counted is null));
  end loop;
  return result;
end
$$;
comment on function imago.pending_figures(imago.plan, bigint) is 'By stage: entities still to be moved, counted or estimated. Estimated where the table has more rows than most, or counting does not fit the call.';

-- imago.pending_keys
create or replace function imago.pending_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  result text[];
begin
  -- The view may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(p.entity::text order by p.entity), ''{}'')
     from (select distinct entity from %s where entity = any ($1::%s[])) p',
    imago.plan_object(plan, 'pending'), plan.key_type)
  into result using keys;
  return result;
end
$$;
comment on function imago.pending_keys(imago.plan, text[]) is 'Those of the keys that the plan''s view pending still lists, in key order and once each.';

-- imago.pending_or_unknown
create or replace function imago.pending_or_unknown(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Ends of the segments still to be asked about, nearest last: one that fails is cut in two, down to the key.
  ends integer[] := array[cardinality(keys)];
  first integer := 1;
  last integer;
  result text[] := '{}';
  of_the_app text[] := '{}';
  context text;
begin
  while first <= cardinality(keys) loop
    last := ends[cardinality(ends)];
    begin
      result := result || imago.pending_keys(plan, keys[first:last]);
      first := last + 1;
    exception when others or assert_failure then
      -- What is wrong with the view, or the server, is no matter of single rows.
      if left(sqlstate, 2) in ('42', '53', '58', 'XX') and sqlstate <> all (of_the_app) then
        get stacked diagnostics context = pg_exception_context;
        if not (imago.find_raiser(context, sqlstate, plan.name)).by_app then
          raise;
        end if;
        of_the_app := of_the_app || sqlstate;
      end if;
      if first < last then
        ends := ends || first + (last - first) / 2;
      else
        result := result || keys[first];
        first := last + 1;
      end if;
    end;
    if first > last then
      ends := trim_array(ends, 1);
    end if;
  end loop;
  return result;
end
$$;
comment on function imago.pending_or_unknown(imago.plan, text[]) is 'Those of the keys that are pending, or of which the view pending raises an error, in their order. A batch that is to move them finds out why, and sets them aside.';

-- imago.percentage
create or replace function imago.percentage(moved bigint, pending bigint)
returns numeric
language sql
immutable
set search_path = ''
as $$
  -- Rounded down: 100 is said only when nothing is pending.
  select case when moved + pending = 0 then 100 else trunc(100.0 * moved / (moved + pending), 2) end
$$;
comment on function imago.percentage(bigint, bigint) is 'Share of moved in moved and pending; never above 100, and 100 only when nothing is pending.';

-- imago.performance
create or replace function imago.performance(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_moving_run(plan_name);
begin
  return imago.guide_names(imago.batch_statistics(run.id)) || imago.plan_words(plan) || imago.trouble_statistics(run) || imago.server_statistics()
    || imago.signal_statistics(run)
    || jsonb_build_object('plan', plan.name, 'run', run.id, 'direction', run.direction, 'state', coalesce(run.state, 'none'));
end
$$;
comment on function imago.performance(text) is 'Rates, batch times, errors, rows and WAL of the newest run that moves entities, and figures of the server.';

-- imago.piece_end
create or replace function imago.piece_end(plan_check imago.plan_check, cursor_key text, size integer, out last_key text, out rows bigint)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set enable_indexonlyscan = on
set max_parallel_workers_per_gather = 0
as $$
declare
  key record := imago.walked_key(plan_check.source, plan_check.key_column);
  rest text := imago.walk_range(format('s.%I', key.name), key.type, cursor_key, null);
begin
  if size is not null then
    execute format(
      'select s.%1$I::text from %2$s s where %3$s order by s.%1$I offset $2 limit 1', key.name, plan_check.source, rest)
    into last_key using cursor_key, size - 1;
    rows := size;
  end if;
  if last_key is null then
    perform set_config('enable_seqscan', case when size is null then 'on' else 'off' end, true);
    -- After a migration hardly any page is known to be all visible: an index alone does not do, and the heap is read row by row.
    perform set_config('enable_indexonlyscan', case when size is null then 'off' else 'on' end, true);
    execute format('select count(*) from %s s where %s', plan_check.source, rest) into rows using cursor_key;
  end if;
end
$$;
comment on function imago.piece_end(imago.plan_check, text, integer, out text, out bigint) is 'The last key (null: none is left after it) and the rows of a check''s next piece of its source. The piece is all that is left where size is null.';

-- imago.piece_range
create or replace function imago.piece_range(plan_check imago.plan_check, cursor_key text, last_key text)
returns text
language sql
stable
set search_path = ''
as $$
  select imago.walk_range('f.key', k.type, cursor_key, last_key)
  from imago.walked_key(plan_check.source, plan_check.key_column) k
$$;
comment on function imago.piece_range(imago.plan_check, text, text) is 'SQL condition: f.key lies in the piece after $1 up to $2.';

-- imago.plan_at_stage
create or replace function imago.plan_at_stage(plan imago.plan, number integer)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan := plan;
begin
  if number = plan.stage then
    return plan;
  end if;
  select s.source_schema, s.source_table, s.source, s.key_column, s.key_type, s.entity_singular, s.entity_plural
    into staged.source_schema, staged.source_table, staged.source, staged.key_column, staged.key_type, staged.entity_singular, staged.entity_plural
  from (
    select 1 as number, p.source_schema, p.source_table, p.source, p.key_column, p.key_type, p.entity_singular, p.entity_plural
    from imago.plan p where p.name = plan.name
    union all
    select t.number, t.source_schema, t.source_table, t.source, t.key_column, t.key_type, t.entity_singular, t.entity_plural
    from imago.plan_stage t where t.plan = plan.name
    union all
    -- Rows that several entities share are entities of their own when they go back.
    select w.stage, n.nspname, c.relname, r.source, w.key_columns[1], imago.key_type(r.source, w.key_columns[1]), null, null
    from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select format('%I.%I', n.nspname, c.relname) as source) r
    where w.plan = plan.name and w.entity_column is null and w.key_columns is not null
  ) s
  where s.number = plan_at_stage.number;
  if not found then
    perform imago.raise_error('IM045', plan.name, number::text);
  end if;
  staged.stage := number;
  return staged;
end
$$;
comment on function imago.plan_at_stage(imago.plan, integer) is 'The plan as one of its stages sees it: with the table that the stage walks. What takes a plan works on a stage just the same.';

-- imago.plan_bytes
create or replace function imago.plan_bytes(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  select sum(imago.relation_bytes(t.relation))::bigint
  from (
    select pg_catalog.to_regclass(plan.source)::text as relation
    union
    select pg_catalog.to_regclass(w.relation)::text from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage
  ) t
$$;
comment on function imago.plan_bytes(imago.plan) is 'Bytes of the source of a stage and of the tables that it writes, without their indexes.';

-- imago.plan_lock_key
create or replace function imago.plan_lock_key(plan_name text, purpose text)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago ' || purpose || ' ' || plan_name, 0)
$$;
comment on function imago.plan_lock_key(text, text) is 'Key of an advisory lock on a plan: tick, schedule, finalize or dry_run. tick for the one tick that works, schedule for whoever decides whether its job stays, finalize for the one caller that finalizes or cleans up, dry_run (of all plans: no name) for the one dry run.';

-- imago.plan_object
create or replace function imago.plan_object(plan imago.plan, name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%I.%I', plan.name, name || case when plan.stage > 1 then '_' || plan.stage else '' end)
$$;
comment on function imago.plan_object(imago.plan, text) is 'Quoted name of apply, pending or concerned of a plan''s stage: that of the first has no number.';

-- imago.plan_phase
create or replace function imago.plan_phase(plan imago.plan, run imago.run)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when plan.cleaned_at is not null then 'cleaned up'
    when plan.finalized_at is not null then 'finalized'
    when plan.finalizing_at is not null then 'finalize'
    when run.id is null then 'not started'
    when run.direction = 'rollback' then case when run.state in ('pending', 'running', 'paused') then 'rollback' else 'rolled back' end
    when plan.prepared_at is null or run.state = 'pending' then 'prepare'
    when run.state = 'succeeded' then 'validate'
    when exists (select from imago.validation v where v.run = plan_phase.run.id and v.state <> 'done') then 'validate'
    when exists (select from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done) then 'backfill'
    else 'late pass'
  end
$$;
comment on function imago.plan_phase(imago.plan, imago.run) is 'Where a plan stands: prepare, backfill, late pass, validate, finalize, finalized, cleaned up, rollback, rolled back.';

-- imago.plan_relations
create or replace function imago.plan_relations(plan imago.plan)
returns setof regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select pg_catalog.to_regclass(s.source) from imago.plan_stages(plan) s
  where pg_catalog.to_regclass(s.source) is not null
  union
  select pg_catalog.to_regclass(w.relation) from imago.plan_write w
  where w.plan = plan_relations.plan.name and pg_catalog.to_regclass(w.relation) is not null
  union
  select pg_catalog.to_regclass(c.source) from imago.plan_check c
  where c.plan = plan_relations.plan.name and pg_catalog.to_regclass(c.source) is not null;
end
$$;
comment on function imago.plan_relations(imago.plan) is 'The tables that a plan walks, writes or checks, as far as they exist.';

-- imago.plan_stages
create or replace function imago.plan_stages(plan imago.plan)
returns setof imago.plan
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select s.*
  from (select 1 as number union all select t.number from imago.plan_stage t where t.plan = plan_stages.plan.name) n
  cross join lateral imago.plan_at_stage(plan_stages.plan, n.number) s
  order by n.number;
end
$$;
comment on function imago.plan_stages(imago.plan) is 'The stages that a plan walks, in order; most plans have one.';

-- imago.plan_words
create or replace function imago.plan_words(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'entity_singular', string_agg(singular, ' or ' order by first_stage),
    'entity_plural', string_agg(plural, ' and ' order by first_stage))
  from (
    select w.singular, w.plural, min(s.stage) as first_stage
    from imago.plan_stages(plan) s cross join lateral imago.entity_words(s) w
    group by w.singular, w.plural
  ) words
$$;
comment on function imago.plan_words(imago.plan) is 'What an answer says of the words for a plan''s entities; of several stages: images and bookings.';

-- imago.planned_rows
create or replace function imago.planned_rows(relation text)
returns numeric
language plpgsql
-- It changes nothing; but PostgreSQL takes no explain in a stable function.
volatile
set search_path = ''
as $$
declare
  explained jsonb;
begin
  execute format('explain (format json) select from %s', relation) into explained;
  return explained -> 0 -> 'Plan' -> 'Plan Rows';
end
$$;
comment on function imago.planned_rows(text) is 'Rows of a relation as the planner expects them; nothing is read.';

-- imago.preflight
create or replace function imago.preflight(plan imago.plan)
returns setof imago.problem
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Without it nothing there can be named, let alone looked at.
  return query
    select 'error', 'no_right', format('schema %I', s.name), format('%s may not use it', current_user),
      imago.schema_remedy(pg_catalog.to_regnamespace(quote_ident(s.name)), 'usage, create')
    from imago.named_schemas(plan) s(name)
    where not pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace(quote_ident(s.name)), 'usage');
  if found then
    return;
  end if;
  return query
    select f.severity, f.kind, f.object, f.message, f.hint
    from imago.found_problems(plan) with ordinality f(severity, kind, object, message, hint, n)
    group by f.severity, f.kind, f.object, f.message, f.hint
    order by min(f.n);
end
$$;
comment on function imago.preflight(imago.plan) is 'Everything that speaks against starting, as imago.problem. Takes no locks that anyone waits for.';

-- imago.prepare_answer
create or replace function imago.prepare_answer(plan_name text, step text, status text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'step', step,
    'status', case when p.prepared_at is not null then 'prepared' else status end,
    'has_more', p.prepared_at is null,
    'retry_after_ms', case status when 'busy' then 300 else 0 end,
    'warnings', (
      select coalesce(jsonb_agg(l.detail order by l.id), '[]')
      from imago.log l where l.plan = plan_name and l.event = 'preflight' and l.level = 'warning' and l.created_at >= now()))
  from imago.plan p where p.name = plan_name
$$;
comment on function imago.prepare_answer(text, text, text) is 'The JSON that prepare_migration returns.';

-- imago.prepare_step
create or replace function imago.prepare_step(plan_name text, run_id bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan;
  step imago.plan_step;
  write imago.plan_write;
  sync imago.plan_sync;
  problems jsonb;
  name text;
  context text;
  raiser record;
  walk record;
  relation text;
  broken text;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_session();
  if (imago.find_plan(plan_name)).prepared_at is not null then
    return imago.prepare_answer(plan_name, null, 'prepared');
  elsif imago.read_only_reason() is not null then
    return imago.prepare_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    select p.* into plan from imago.plan p where p.name = plan_name for update;
    if plan.prepared_at is not null then
      return imago.prepare_answer(plan_name, null, 'prepared');
    end if;
    if not exists (select from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is not null) then
      select jsonb_agg(to_jsonb(p)) into problems from imago.preflight(plan) p;
      perform imago.expect_no_problems(plan_name, problems);
      perform imago.write_log(plan_name, null, case p ->> 'severity' when 'notice' then 'info' else 'warning' end, 'preflight', p) from jsonb_array_elements(problems) p;
      -- The types by which the entities are keyed.
      update imago.plan p set key_type = imago.key_type(p.source, p.key_column) where p.name = plan_name;
      update imago.plan_stage t set key_type = imago.key_type(t.source, t.key_column) where t.plan = plan_name;
    end if;
  exception when lock_not_available or deadlock_detected then
    return imago.prepare_answer(plan_name, null, 'busy');
  end;

  begin
    perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
    select s.* into step from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is null order by s.position limit 1;
    if found then
      name := step.name;
      perform imago.run_step(step);
    else
      select w.* into write from imago.plan_write w where w.plan = plan_name and w.captured_at is null order by w.position limit 1;
      if found then
        name := 'journal ' || write.relation;
        if write.undo_table is not null then
          -- Of a run before. What the app writes comes to its journal (keys that change) with the table locked: so do we.
          execute format('lock table %s in share row exclusive mode', write.relation);
        end if;
        perform imago.install_undo(write.id);
        perform imago.install_capture(write.id);
      else
        select s.* into sync from imago.plan_sync s where s.plan = plan_name and s.installed_at is null order by s.position limit 1;
        if found then
          name := 'sync ' || sync.name;
          perform imago.install_sync(plan_name, sync.position);
        else
          select o.* into walk from imago.walked_only(plan_name) o where not o.is_installed limit 1;
          if found then
            name := 'keys of ' || walk.relation;
            perform imago.install_walk(plan_name, walk.stage, walk.relation);
          else
            name := 'statistics';
            perform imago.expect_comparable_keys(imago.find_plan(plan_name));
            perform imago.ensure_statistics(plan_name);
            perform imago.note_schema(plan_name);
            perform imago.build_captures(plan_name);
            update imago.plan p set prepared_at = clock_timestamp() where p.name = plan_name;
          end if;
        end if;
      end if;
    end if;
  exception when lock_not_available or deadlock_detected then
    perform imago.write_log(plan_name, null, 'warning', 'prepare_deferred', jsonb_build_object('step', name), null, '55P03');
    return imago.prepare_answer(plan_name, name, 'busy');
  when query_canceled or others or assert_failure then
    get stacked diagnostics context = pg_exception_context, relation = table_name, broken = constraint_name;
    raiser := imago.find_raiser(context, sqlstate, plan_name);
    -- What passes by itself, or has to do with the caller, is no fault of the step.
    if sqlstate like 'IM%' and not raiser.by_app or left(sqlstate, 2) in ('40', '53', '57') then
      raise;
    end if;
    return imago.fail_prepare(plan_name, run_id, name,
      concat_ws(', ', imago.sqlstate_text(sqlstate, raiser.raised_by), nullif(relation, ''), nullif(broken, '')));
  end;
  perform imago.write_log(plan_name, null, 'info', 'prepare', jsonb_build_object('step', name));
  return imago.prepare_answer(plan_name, name, 'preparing');
end
$$;
comment on function imago.prepare_step(text, bigint) is 'Does the next prepare step of a plan. Its own steps in order, then the journal of each write, then its syncs, then what follows keys, then statistics. One relation a call, with a short lock timeout.';

-- imago.primary_key
create or replace function imago.primary_key(relation text)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select array_agg(a.attname::text order by k.position)
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey::smallint[]) with ordinality k(attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = pg_catalog.to_regclass(relation) and i.indisprimary);
end
$$;
comment on function imago.primary_key(text) is 'For plans: the columns of a table''s primary key in order; null where it has none, or is not there.

Example: select imago.primary_key(''public.users'')';

-- imago.progress
create or replace function imago.progress(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  figures jsonb;
  per_minute numeric;
begin
  if run.id is null then
    run := imago.last_run(plan_name);
  end if;
  perform imago.expect_source(plan);
  figures := imago.figures(plan);
  per_minute := nullif(round(imago.recent_rate(run)), 0);
  return imago.guide_names(imago.plan_words(plan) || figures || jsonb_build_object(
    'plan', plan_name, 'phase', imago.plan_phase(plan, run), 'reason', run.reason,
    'findings', run.findings,
    'unindexed', (
      select coalesce(jsonb_agg(jsonb_build_object('object', u.object, 'statement', u.statement)), '[]')
      from imago.missing_indexes(plan_name) u where u.is_left),
    'per_minute', per_minute,
    'eta_seconds', ceil(60 * (figures ->> case run.direction when 'rollback' then 'migrated' else 'remaining' end)::numeric / per_minute),
    'waiting', coalesce(imago.read_only_database(), case when run.state = 'running' then imago.hold_reason(plan_name) end),
    'health', imago.health_json(plan_name),
    'throttle', imago.throttle_json(plan_name),
    'checking', imago.end_checks_done(run),
    'lanes', coalesce((
      select jsonb_agg(imago.stage_label(l.stage) || jsonb_build_object('pass', l.pass, 'number', l.number, 'processed', l.processed, 'moved', l.moved,
                                          'failed', l.failed, 'batch_size', l.batch_size, 'done', l.done) order by l.stage, l.pass desc, l.number)
      from imago.lane l where l.run = run.id), '[]'),
    'started_at', run.started_at,
    'updated_at', (select max(l.updated_at) from imago.lane l where l.run = run.id),
    'finalize', case when plan.finalizing_at is not null then imago.finalize_answer(plan_name, (select s.name from imago.finalize_steps(plan) s where not s.done order by s.number limit 1),
      'finalizing') - '{plan,has_more,retry_after_ms,warnings}'::text[] end,
    'scheduled', imago.scheduled(plan_name)));
end
$$;
comment on function imago.progress(text) is 'State, counts, rate and remaining time of a plan. Above about 100,000 entities counts come from lanes and statistics and are marked as estimates.';

-- imago.public_functions
create or replace function imago.public_functions()
returns oid[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(p.oid), '{}')
  from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::pg_catalog.regnamespace
    -- What a trigger calls that a plan has put on the app's tables for good stays with them.
    and p.prorettype <> 'pg_catalog.trigger'::pg_catalog.regtype
    and p.proname in (select a.names[2] from imago.added a where a.type = 'function')
    and exists (select from imago.added_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0))
$$;
comment on function imago.public_functions() is 'Our functions in schema public, the engine''s and the plans'': those that were published (imago.added).';

-- imago.publish_function
create or replace function imago.publish_function(plan text, routine regprocedure)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format('revoke all on function %s from public, anon, authenticated', routine);
  execute format('grant execute on function %s to service_role', routine);
  perform imago.note_object(plan, 'pg_catalog.pg_proc'::pg_catalog.regclass, routine, 0);
end
$$;
comment on function imago.publish_function(text, regprocedure) is 'For plans: opens a function that the plan has in schema public to service_role alone, and notes it as ours. For registrations. The doctor looks at it, uninstalling drops it.

Example: select imago.publish_function(''profile_gigs'', ''public.get_user_profile_gig(integer)'')';

-- imago.quoted_name
create or replace function imago.quoted_name(name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select '"' || replace(name, '"', '""') || '"'
$$;
comment on function imago.quoted_name(text) is 'A name in quotes, needed or not. PL/pgSQL has words of its own (by, loop, if) that SQL does not quote: it takes new.by for no column.';

-- imago.raise_attempt
create or replace function imago.raise_attempt(plan imago.plan, attempt imago.attempt)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  singular text := (imago.entity_words(plan)).singular;
begin
  if attempt.outcome = 'blocked' and not attempt.by_app then
    perform imago.raise_error('IM025', singular);
  elsif attempt.outcome = 'moved' then
    return;
  elsif attempt.sqlstate in ('IM010', 'IM011') and not attempt.by_app then
    perform imago.raise_error(attempt.sqlstate, singular);
  end if;
  if attempt.error_code = 'IM021' and attempt.sqlstate in ('42703', '42P01', '3F000') and imago.renames(plan.name) is not null then
    perform imago.raise_error('IM070', variadic array[plan.name, imago.renames(plan.name)] || attempt.error_detail);
  end if;
  perform imago.raise_error('IM023', plan.name, imago.sqlstate_text(attempt.sqlstate, attempt.raised_by), singular);
end
$$;
comment on function imago.raise_attempt(imago.plan, imago.attempt) is 'For calls about one entity: what went wrong with it is an error of the call.';

-- imago.raise_changed_journal
create or replace function imago.raise_changed_journal(relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise exception using errcode = '40001', message = 'the journal has changed while its entity was going back', table = relation;
end
$$;
comment on function imago.raise_changed_journal(text) is 'Has a sub-batch done again. The app has given a row to an entity since its journal was read, so that it is not restored.';

-- imago.raise_error
create or replace function imago.raise_error(code text, variadic args text[] default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  error imago.error;
begin
  select e.* into strict error from imago.error e where e.code = raise_error.code;
  raise exception using
    errcode = error.code,
    message = format(error.message, variadic args),
    hint = format(error.hint, variadic args);
end
$$;
comment on function imago.raise_error(text, text[]) is 'For plans: raises an error of imago.error with its values filled in.

Example: select imago.raise_error(''IM012'', ''view public.user_initials'')';

-- imago.raise_kept
create or replace function imago.raise_kept(kept jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'IM061', message = 'a row is not as it was put back', table = kept -> 0 ->> 'relation',
    detail = (select jsonb_agg(distinct k -> 'entity') from jsonb_array_elements(kept) k)::text;
end
$$;
comment on function imago.raise_kept(jsonb) is 'Raises IM061 for rows (entity, relation, row_key) that did not go back. A trigger or rule of the app kept them, or changed them again.';

-- imago.raise_lost
create or replace function imago.raise_lost(plan_name text, lost jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if lost is null then
    return;
  end if;
  perform imago.raise_error('IM076', plan_name,
    (select string_agg(format('%s%s %s', l ->> 'relation', '.' || quote_ident(l ->> 'name'), l ->> 'reason'), '; ') from jsonb_array_elements(lost) l),
    concat_ws(', ', quote_literal(plan_name), quote_literal(lost -> 0 ->> 'relation'), quote_literal(lost -> 0 ->> 'name')));
end
$$;
comment on function imago.raise_lost(text, jsonb) is 'Raises IM076 for tables and columns (relation, name, reason) that a plan needs and that are lost. Nothing where there is none.';

-- imago.raise_unreadable
create or replace function imago.raise_unreadable(plan_name text, what text, sqlstate text, context text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, raise_unreadable.sqlstate, plan_name);
begin
  if left(raise_unreadable.sqlstate, 2) in ('40', '53', '57') or raise_unreadable.sqlstate in ('55P03', '55006')
     or raiser.by_engine and raise_unreadable.sqlstate like 'IM%' then
    return;
  end if;
  perform imago.raise_error('IM071', what, plan_name,
    imago.sqlstate_text(raise_unreadable.sqlstate, nullif(raiser.raised_by, what)));
end
$$;
comment on function imago.raise_unreadable(text, text, text, text) is 'Raises IM071: a view or function of a plan cannot be read. Not for what passes by itself (locks, room), nor for what the engine has raised: the caller raises that again.';

-- imago.rate_text
create or replace function imago.rate_text(plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(s.words, t.max_per_second)
  from imago.throttle t join imago.signal s on s.name = 'rate' where t.plan = rate_text.plan
$$;
comment on function imago.rate_text(text) is 'Why a run waits that has moved as many as it may in a second, in words.';

-- imago.raw_level
create or replace function imago.raw_level(signal imago.signal, value numeric, capacity numeric)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
declare
  measured constant numeric := case when signal.of_capacity then 100 * value / nullif(capacity, 0) else value end;
begin
  return case
    when signal.low then case when measured < signal.hold then 2 when measured < signal.slow then 1 else 0 end
    when measured >= signal.hold then 2
    when measured >= signal.slow then 1
    else 0
  end;
end
$$;
comment on function imago.raw_level(imago.signal, numeric, numeric) is 'What a value says by itself, whatever was seen before: 0 fine, 1 slow, 2 hold.';

-- imago.read_active
create or replace function imago.read_active(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query select '', imago.active_others(governor.plan)::numeric, greatest(governor.usual_active, 9);
end
$$;
comment on function imago.read_active(imago.governor) is 'Signal active: sessions of others that are at work, and how many were when the run began.';

-- imago.read_archive
create or replace function imago.read_archive()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('archive_mode') <> 'off' then
    return query
    select '', count(*)::numeric, null::numeric from pg_catalog.pg_ls_archive_statusdir() f where f.name like '%.ready';
  end if;
end
$$;
comment on function imago.read_archive() is 'Signal archive: files of write-ahead log that wait to be archived.';

-- imago.read_archiver
create or replace function imago.read_archiver()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('archive_mode') <> 'off' then
    return query
    select '', case when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then 1 else 0 end::numeric, null::numeric
    from pg_catalog.pg_stat_archiver a;
  end if;
end
$$;
comment on function imago.read_archiver() is 'Signal archiver: 1 where the last attempt to archive has failed.';

-- imago.read_checkpoints
create or replace function imago.read_checkpoints(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query select '', (imago.requested_checkpoints() - governor.checkpoints)::numeric, null::numeric where governor.checkpoints is not null;
end
$$;
comment on function imago.read_checkpoints(imago.governor) is 'Signal checkpoints: those that were asked for since governor.checkpoints_at.';

-- imago.read_connections
create or replace function imago.read_connections()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select '', (current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
    - coalesce(current_setting('reserved_connections', true)::integer, 0) - count(*))::numeric, null::numeric
  from pg_catalog.pg_stat_activity a
  where a.backend_type = 'client backend';
end
$$;
comment on function imago.read_connections() is 'Signal connections: how many are free for roles without rights of their own.';

-- imago.read_disk
create or replace function imago.read_disk()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  limit_mb constant numeric := imago.setting_size('disk_mb');
begin
  if limit_mb is not null then
    return query
    select '', (pg_catalog.pg_database_size(current_database()) + (select coalesce(sum(f.size), 0) from pg_catalog.pg_ls_waldir() f))::numeric, 1048576 * limit_mb;
  end if;
end
$$;
comment on function imago.read_disk() is 'Signal disk: bytes of database and write-ahead log, where the setting disk_mb says what there is.';

-- imago.read_lane
create or replace function imago.read_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  out keys text[],
  out places text[],
  out rows bigint,
  out todo text[],
  out outcome text,
  out error imago.attempt
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  select n.keys, n.places, n.rows into keys, places, rows from imago.next_rows(run, plan, lane) n;
  todo := coalesce(keys, '{}');
  -- The late pass finds most entities moved: it reads before it locks, and it tries once more those whose reason may have passed.
  if lane.pass = 'late' and run.direction = 'forward' then
    todo := imago.pending_or_unknown(plan, todo);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name) then
    select coalesce(array_agg(k order by n), '{}') into todo
    from unnest(todo) with ordinality t(k, n)
    where k not in (select imago.set_aside_keys(plan.name, run.direction, lane.pass <> 'late', plan.stage));
  end if;
exception
  when query_canceled then
    -- A size of one that does not fit cannot be made smaller: the caller has to know.
    if not imago.timed_out() or lane.batch_size = 1 then
      raise;
    end if;
    outcome := 'timeout';
  when others or assert_failure then
    get stacked diagnostics error.sqlstate = returned_sqlstate, context = pg_exception_context;
    error := imago.sort_error(error, null, context, plan.name);
    if error.outcome <> 'stop' then
      raise;
    end if;
    outcome := 'stop';
end
$$;
comment on function imago.read_lane(imago.run, imago.plan, imago.lane, out text[], out text[], out bigint, out text[], out text, out imago.attempt) is 'What a lane has next, as next_rows says it, and which of the keys are to be moved. Not those set aside; in the late pass only pending ones. Outcome timeout where looking does not fit a call; stop, with the error, where it is wrong; else null.';

-- imago.read_nested
create or replace function imago.read_nested(plan imago.plan, batch bigint, keys anyarray, sides jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  row_keys text;
  same_row text;
  found_rows jsonb;
begin
  perform imago.compact_batch(batch, plan, '{}');
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null loop
    if coalesce(nullif(current_setting('imago.fired_' || write.id, true), ''), '0')::integer > 0 then
      row_keys := imago.each_column('u.key_%1$s::text', write.relation, write.key_columns);
      same_row := imago.each_column('j.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and ');
      execute format(
        'with nested as (
           select u.*, u.entity::text = any ($2) as is_here, array[%2$s] as row_key
           from imago_undo.%1$I u where u.batch = $1 and u.op = ''u''
         ), columns as (
           select u.entity, u.row_key, s.key as name, s.value ->> 0 as was
           from nested u join %5$s t on %6$s cross join lateral jsonb_each(u.side) s
           left join lateral (
             select true as is_there, j.side -> s.key ->> 1 as became from imago_undo.%1$I j
             where j.entity = u.entity and %3$s and j.op = ''u'' and j.batch <> $1 and j.side ? s.key order by j.batch desc limit 1) mine on true
           left join lateral (select true as is_there, l.became from (%7$s) l order by l.batch desc limit 1) last on true
           where s.value ->> 0 is distinct from s.value ->> 1
             -- What is not as a batch, of this plan or another, has left it, somebody else has changed.
             and (last.is_there is null or s.value ->> 0 is not distinct from last.became or mine.is_there and s.value ->> 0 is not distinct from mine.became)
           union all
           select u.entity, u.row_key, v.name, v.was
           from nested u cross join lateral (values %4$s) v(name, was, is_now)
           where not u.is_here and v.was is distinct from v.is_now
         ), known as (
           -- What read_sides has found comes first.
           select distinct on (k.entity, k.row_key, k.name) k.*
           from (
             select s ->> ''entity'' as entity, s -> ''key'' as row_key, c.key as name, c.value as was, 1 as rank
             from jsonb_array_elements($3) s cross join lateral jsonb_each(s -> ''columns'') c
             union all
             select c.entity::text, to_jsonb(c.row_key), c.name, to_jsonb(c.was), 2 from columns c) k
           order by k.entity, k.row_key, k.name, k.rank
         )
         select jsonb_agg(jsonb_build_object(''entity'', r.entity, ''key'', r.row_key, ''columns'', r.columns))
         from (select k.entity, k.row_key, jsonb_object_agg(k.name, k.was) as columns from known k group by k.entity, k.row_key) r',
        write.undo_table, row_keys, same_row,
        coalesce(nullif(imago.each_column('(%2$L, u.before_%1$s::text, u.after_%1$s::text)', write.relation, write.columns), ''), '(null, null, null)'),
        write.relation, imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
        coalesce(imago.side_journals(write), 'select 0 as batch, null::text as became where false'))
      into found_rows using batch, case write.stage when plan.stage then keys::text[] else '{}' end, coalesce(sides -> write.relation, '[]');
      execute format('delete from imago_undo.%I u where u.batch = $1', write.undo_table) using batch;
      if found_rows is not null then
        sides := sides || jsonb_build_object(write.relation, found_rows);
      end if;
    end if;
    -- What the last pass sets off is left alone.
    perform set_config('imago.fired_' || write.id, '', true);
  end loop;
  return sides;
end
$$;
comment on function imago.read_nested(imago.plan, bigint, anyarray, jsonb) is 'Adds to what read_sides has found what triggers of the app have updated while rows went back. Each column of them is as it was when it has no part in the way forward; what somebody has changed since takes what its triggers do.';

-- imago.read_only_database
create or replace function imago.read_only_database()
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select case
      when pg_catalog.pg_is_in_recovery() then 'this server is a standby, which takes no writes until it is promoted'
      when current_setting('default_transaction_read_only') = 'on'
      then 'the database is read-only (default_transaction_read_only = on); on Supabase because its disk is nearly full'
    end);
end
$$;
comment on function imago.read_only_database() is 'Why this database takes no writes at the moment, in words; null where it does. Whatever this one call''s transaction is.';

-- imago.read_only_reason
create or replace function imago.read_only_reason(moving boolean default true)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(
      -- A transaction may be made writable by hand, to free some space: that is not what we do.
      case when moving or current_setting('transaction_read_only') = 'on' then imago.read_only_database() end,
      case when current_setting('transaction_read_only') = 'on' then 'the transaction of this call is read-only' end));
end
$$;
comment on function imago.read_only_reason(boolean) is 'Why nothing can be written at the moment, in words; null where it can. Moving also waits in a transaction that was made writable while the database is read-only.';

-- imago.read_operator
create or replace function imago.read_operator(signal text, throttle imago.throttle)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  held boolean;
begin
  case signal
    when 'operator' then
      return query select s.value, 1::numeric, null::numeric from imago.setting s where s.name = 'hold' and s.value <> '';
    when 'hours' then
      if not imago.is_open(throttle, clock_timestamp()) then
        return query select imago.hours_text(throttle), 1::numeric, null::numeric;
      end if;
    when 'query' then
      if throttle.throttle_query is not null then
        execute throttle.throttle_query into held;
        return query select '', 1::numeric, null::numeric where held;
      end if;
  end case;
end
$$;
comment on function imago.read_operator(text, imago.throttle) is 'Signals operator, hours and query: a row where what operators have asked for holds the run.';

-- imago.read_pace
create or replace function imago.read_pace(governor imago.governor, run imago.run)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select '', avg(l.entity_ms), governor.usual_entity_ms
  from (
    select l.entity_ms from imago.lane l
    where l.run = run.id and l.entity_ms is not null
    order by l.updated_at desc limit 8
  ) l
  having avg(l.entity_ms) is not null;
end
$$;
comment on function imago.read_pace(imago.governor, imago.run) is 'Signal pace: milliseconds that an entity took lately, and what it usually took.';

-- imago.read_replica_delays
create or replace function imago.read_replica_delays()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select coalesce(nullif(r.application_name, ''), 'standby'), max(extract(epoch from r.replay_lag)), null::numeric
  from pg_catalog.pg_stat_replication r
  where r.state = 'streaming' and r.replay_lag is not null
  group by 1;
end
$$;
comment on function imago.read_replica_delays() is 'Signal replica_delay: seconds that each streaming replica is late.';

-- imago.read_replicas
create or replace function imago.read_replicas()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select coalesce(nullif(r.application_name, ''), 'standby'), max(pg_catalog.pg_current_wal_insert_lsn() - r.replay_lsn), null::numeric
  from pg_catalog.pg_stat_replication r
  -- A base backup is no replica.
  where r.state = 'streaming' and r.replay_lsn is not null
  group by 1;
end
$$;
comment on function imago.read_replicas() is 'Signal replica: bytes that each streaming replica has not replayed.';

-- imago.read_sides
create or replace function imago.read_sides(plan imago.plan, keys anyarray)
returns jsonb
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  row_keys text;
  found_sides jsonb;
  result jsonb := '{}';
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and w.stage = plan.stage and imago.has_sides(w) order by w.position
  loop
    row_keys := imago.each_column('u.key_%1$s', write.relation, write.key_columns);
    execute format(
      'with beside as (
         select u.entity, %1$s, s.key as name,
           (array_agg(s.value ->> 0 order by u.batch))[1] as was, (array_agg(s.value ->> 1 order by u.batch desc))[1] as became
         from imago_undo.%2$I u cross join lateral jsonb_each(u.side) s
         where u.entity = any %3$s and u.op = ''u'' and u.side is not null
         group by u.entity, %1$s, s.key
       )
       select jsonb_agg(jsonb_build_object(''entity'', r.entity, ''key'', r.key, ''columns'', r.columns))
       from (
         select u.entity::text as entity, array[%4$s] as key, jsonb_object_agg(u.name, u.was) as columns
         from beside u
         join %5$s t on %6$s
         cross join lateral (values %7$s) v(name, image)
         where v.name = u.name and v.image is not distinct from u.became and u.was is distinct from u.became
         group by u.entity, %1$s
       ) r',
      row_keys, write.undo_table, imago.keys_sql(plan),
      imago.each_column('u.key_%1$s::text', write.relation, write.key_columns),
      write.relation,
      imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      coalesce(imago.side_values(write, '(%1$L, t.%1$I::text)'), '(null, null)'))
    into found_sides using keys;
    if found_sides is not null then
      result := result || jsonb_build_object(write.relation, found_sides);
    end if;
  end loop;
  return result;
end
$$;
comment on function imago.read_sides(imago.plan, anyarray) is 'By relation: rows of these entities with undeclared columns that can go back, and what these were before. Triggers of the app changed them in our batches, and nobody has since.';

-- imago.read_signal
create or replace function imago.read_signal(signal text, plan imago.plan, run imago.run, governor imago.governor, throttle imago.throttle)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
-- Written out, not called by a name that is put together: each query keeps its plan.
as $$
begin
  case signal
    when 'operator', 'hours', 'query' then return query select * from imago.read_operator(signal, throttle);
    when 'waiters' then return query select * from imago.read_waiters();
    when 'slot' then return query select * from imago.read_slots();
    when 'replica' then return query select * from imago.read_replicas();
    when 'replica_delay' then return query select * from imago.read_replica_delays();
    when 'archive' then return query select * from imago.read_archive();
    when 'archiver' then return query select * from imago.read_archiver();
    when 'disk' then return query select * from imago.read_disk();
    when 'wal' then return query select * from imago.read_wal(governor);
    when 'checkpoints' then return query select * from imago.read_checkpoints(governor);
    when 'vacuum' then return query select * from imago.read_vacuum(plan);
    when 'connections' then return query select * from imago.read_connections();
    when 'active' then return query select * from imago.read_active(governor);
    when 'pace' then return query select * from imago.read_pace(governor, run);
    when 'transaction' then return query select * from imago.read_transactions();
    else null;
  end case;
end
$$;
comment on function imago.read_signal(text, imago.plan, imago.run, imago.governor, imago.throttle) is 'Reads one signal: a row for each thing that was looked at. Raises what reading it raises.';

-- imago.read_slots
create or replace function imago.read_slots()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select s.slot_name::text, pg_catalog.pg_current_wal_insert_lsn() - s.restart_lsn, limits.most
  from pg_catalog.pg_replication_slots s
  cross join lateral (
    -- A size of -1 is no limit.
    select coalesce(nullif(greatest(pg_catalog.pg_size_bytes(current_setting('max_slot_wal_keep_size')), 0), 0),
      1048576 * imago.setting_number('slot_mb')::bigint)::numeric as most) limits
  -- What is lost already cannot be saved; temporary slots go with their session.
  where s.restart_lsn is not null and not s.temporary and s.wal_status is distinct from 'lost';
end
$$;
comment on function imago.read_slots() is 'Signal slot: write-ahead log that each replication slot keeps, and what it may.';

-- imago.read_transactions
create or replace function imago.read_transactions()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select a.pid::text, extract(epoch from clock_timestamp() - a.xact_start), null::numeric
  from pg_catalog.pg_stat_activity a
  where a.xact_start is not null and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'
  order by a.xact_start
  limit 1;
end
$$;
comment on function imago.read_transactions() is 'Signal transaction: the oldest one of another session, in seconds.';

-- imago.read_vacuum
create or replace function imago.read_vacuum(plan imago.plan)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select v.relid::pg_catalog.regclass::text, max(case when a.query like '%to prevent wraparound%' then 2 else 1 end)::numeric, null::numeric
  from pg_catalog.pg_stat_progress_vacuum v
  left join pg_catalog.pg_stat_activity a on a.pid = v.pid
  where v.datname = current_database() and exists (
    select from imago.plan_relations(plan) r(relation)
    where v.relid = r.relation or v.relid in (select p.relid from pg_catalog.pg_partition_tree(r.relation) p))
  group by 1;
end
$$;
comment on function imago.read_vacuum(imago.plan) is 'Signal vacuum: tables of the plan that are being vacuumed; 2 where it prevents wraparound.';

-- imago.read_waiters
create or replace function imago.read_waiters()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  return query
  select '', 1000 * max(extract(epoch from clock_timestamp() - l.waitstart)), null::numeric
  from pg_catalog.pg_locks l
  where not l.granted and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid))
  having count(*) > 0;
end
$$;
comment on function imago.read_waiters() is 'Signal waiters: how long somebody has waited for a lock of this session.';

-- imago.read_wal
create or replace function imago.read_wal(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  limit_mb constant numeric := imago.setting_size('wal_mb_per_s');
begin
  if limit_mb is not null and governor.lsn is not null then
    return query
    select '', (pg_catalog.pg_current_wal_insert_lsn() - governor.lsn)
      / greatest(0.001, extract(epoch from clock_timestamp() - governor.looked_at)), 1048576 * limit_mb;
  end if;
end
$$;
comment on function imago.read_wal(imago.governor) is 'Signal wal: bytes of write-ahead log a second since the last look, where the setting wal_mb_per_s says what is fine.';

-- imago.reading_text
create or replace function imago.reading_text(reading imago.reading)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when reading.sqlstate is not null then format('%s cannot be read (SQLSTATE %s)', s.name, reading.sqlstate)
    else format(s.words, reading.name, imago.amount_text(s.unit, reading.value, reading.capacity))
  end
  from imago.signal s where s.name = reading.signal
$$;
comment on function imago.reading_text(imago.reading) is 'A reason of the governor in words.';

-- imago.rebuild_functions
create or replace function imago.rebuild_functions(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  failure text;
begin
  perform imago.build_captures(plan_name);
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    begin
      perform imago.build_sync(sync, imago.plan_at_stage(imago.find_plan(plan_name), sync.stage), imago.sync_ending(sync));
    exception when others then
      -- Its statement names what is called otherwise now. It fails, and says so, as any sync that fails.
      failure := sqlstate;
      perform imago.write_log(plan_name, null, 'error', 'sync_outdated', jsonb_build_object('sync', sync.name), null, failure);
    end;
  end loop;
end
$$;
comment on function imago.rebuild_functions(text) is 'Generates the trigger functions of a plan anew, by its tables as they are now.';

-- imago.recent_rate
create or replace function imago.recent_rate(run imago.run)
returns numeric
language sql
stable
set search_path = ''
as $$
  select 60 * sum(b.moved) / greatest(0.1, extract(epoch from max(b.ended) - min(b.created_at)))
  from (
    select b.moved, b.created_at, b.created_at + coalesce(b.ms, 0) * interval '1 ms' as ended
    from imago.batch b
    where b.run = recent_rate.run.id and b.path <> 'sync' and run.state = 'running'
    order by b.id desc
    limit 50
  ) b
  -- Nothing moves unless somebody has just moved something.
  where b.created_at > clock_timestamp() - interval '60 s' and imago.read_only_database() is null
  having sum(b.moved) > 0 and max(b.ended) filter (where b.moved > 0) > clock_timestamp() - interval '10 s'
$$;
comment on function imago.recent_rate(imago.run) is 'Entities a minute over the last minute, at most 50 batches. Null while nothing moves: of a run that is not running, or has moved nobody for ten seconds.';

-- imago.record_conflicts
create or replace function imago.record_conflicts(run imago.run, conflicts jsonb, stage integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities text[];
  known text[];
begin
  select array_agg(distinct c ->> 'entity') into entities from jsonb_array_elements(conflicts) c;
  -- What people read.
  select jsonb_agg(c || jsonb_build_object('reason', concat_ws(' ', c ->> 'reason_kind', 'by ' || (c ->> 'referenced_by')))) into conflicts
  from jsonb_array_elements(conflicts) c;
  with forgotten as (
    delete from imago.failure f where f.plan = run.plan and f.kind = 'conflict' and f.stage = record_conflicts.stage and f.entity = any (entities)
    returning f.run, f.entity
  )
  select coalesce(array_agg(distinct o.entity), '{}') into known from forgotten o where o.run = record_conflicts.run.id;
  insert into imago.failure (plan, run, stage, entity, kind, direction, table_name, row_key, reason_kind, referenced_by, reason)
  select run.plan, run.id, record_conflicts.stage, c ->> 'entity', 'conflict', 'rollback', c ->> 'relation', c ->> 'row_key',
    c ->> 'reason_kind', c ->> 'referenced_by', c ->> 'reason'
  from jsonb_array_elements(conflicts) c;
  insert into imago.log (plan, run, level, event, entity, detail)
  select run.plan, run.id, 'warning', 'conflict', c ->> 'entity', c - '{entity,reason_kind,referenced_by}'::text[] || imago.stage_label(record_conflicts.stage)
  from jsonb_array_elements(conflicts) c
  where c ->> 'entity' <> all (known);
  return array(select e from unnest(entities) e where e <> all (known));
end
$$;
comment on function imago.record_conflicts(imago.run, jsonb, integer) is 'Writes conflicts down (keys and reasons) and returns the entities that this run had not reported before.';

-- imago.referenced_rows
create or replace function imago.referenced_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason_kind text, referenced_by text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  removed imago.plan_write;
  reference record;
  other imago.plan_write;
  condition text;
  journal text;
begin
  for removed in select w.* from imago.stage_writes(plan) w where w.inserts loop
    for reference in select p.* from imago.referencing_columns(plan.name, removed.relation) p loop
      if (reference.pointing).id is not null and plan.stage > 0 then
        -- A declared column: rows that this rollback restores or detaches do not count, rows that stay with another entity do.
        journal := format(
          'select from imago_undo.%I o where o.entity = r.%I and %s', (reference.pointing).undo_table, (reference.pointing).entity_column,
          imago.each_column('o.key_%1$s = r.%2$I::%4$s', reference.relation, (reference.pointing).key_columns, ' and '));
        -- Journaled rows of the entities that go back are restored; only those of others are looked up, entity by entity.
        condition := case when (reference.pointing).stage = plan.stage
          then format('(r.%I <> all ($1::%s[]) and exists (%s))', (reference.pointing).entity_column, plan.key_type, journal)
          else format('exists (%s)', journal) end;
        if not (select c.nullable from imago.journal_columns(reference.relation, reference.columns) c) then
          condition := format('(%s or not exists (%s))', condition, journal);
        end if;
      else
        -- Rows that go with the same entities do not count. To a row that several entities share, nothing may refer.
        select w.* into other from imago.stage_writes(plan) w
        where w.inserts
          and w.relation::pg_catalog.regclass = coalesce(
            pg_catalog.pg_partition_root(reference.relation::pg_catalog.regclass), reference.relation::pg_catalog.regclass);
        condition := case when other.id is null then 'true' else format(
          'not exists (select from imago_undo.%I o where o.entity = any ($1::%s[]) and o.op = ''i'' and %s)',
          other.undo_table, plan.key_type,
          imago.each_column('o.key_%1$s = r.%2$I::%4$s', other.relation, other.key_columns, ' and ')) end;
      end if;
      return query execute format(
        'with referring as materialized (
           select r.* from %7$s r
           where r.%11$I = any (array(select k.%12$I from imago_undo.%4$I i join %5$s k on %13$s
                                      where i.entity = any ($1::%9$s[]) and i.op = ''i''))
         )
         select distinct i.entity::text, %1$L::text, concat_ws('','', %2$s), ''referenced''::text, %3$L::text
         from imago_undo.%4$I i join %5$s t on %6$s join referring r on %8$s
         where i.entity = any ($1::%9$s[]) and i.op = ''i'' and %10$s',
        removed.relation, imago.each_column('i.key_%1$s', removed.relation, removed.key_columns),
        reference.relation, removed.undo_table, removed.relation,
        imago.each_column('t.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '),
        reference.relation,
        (select string_agg(format('r.%I = t.%I', c, reference.target_columns[n]), ' and ')
         from unnest(reference.columns) with ordinality u(c, n)),
        plan.key_type, condition,
        -- As in expect_unreferenced: one index look-up for each removed row, whatever the statistics.
        reference.columns[1], reference.target_columns[1],
        imago.each_column('k.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '))
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.referenced_rows(imago.plan, text[]) is 'Inserted rows of these entities that something else refers to, so that removing them would cascade or fail.';

-- imago.referencing_columns
create or replace function imago.referencing_columns(plan text, target text)
returns table (relation text, columns text[], target_columns text[], pointing imago.plan_write)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select w.relation, array[p.key], imago.primary_key(target), w
  from imago.plan_write w
  cross join lateral jsonb_each_text(w.points_to) p
  where w.plan = referencing_columns.plan and p.value = target
  union all
  select
    c.conrelid::pg_catalog.regclass::text,
    (select array_agg(a.attname::text order by k.n)
     from unnest(c.conkey) with ordinality k(attnum, n)
     join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum),
    (select array_agg(a.attname::text order by k.n)
     from unnest(c.confkey) with ordinality k(attnum, n)
     join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum),
    null::imago.plan_write
  from pg_catalog.pg_constraint c
  where c.contype = 'f' and c.conparentid = 0
    and (c.confrelid = target::pg_catalog.regclass
         or c.confrelid in (select t.relid from pg_catalog.pg_partition_tree(target::pg_catalog.regclass) t))
    -- A key of several columns no longer refers to anything when the declared one of them is null.
    and not exists (
      select from imago.plan_write w
      join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
      where w.plan = referencing_columns.plan
        and w.relation::pg_catalog.regclass = coalesce(pg_catalog.pg_partition_root(c.conrelid), c.conrelid)
        and w.points_to ->> a.attname = target and (cardinality(c.conkey) = 1 or c.confmatchtype = 's'));
end
$$;
comment on function imago.referencing_columns(text, text) is 'Columns that refer to a relation: declared ones (with their write) and every other foreign key.';

-- imago.refuse_data_loss
create or replace function imago.refuse_data_loss(plan_name text, what text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if current_setting('imago.allow_data_loss', true) is distinct from 'on' then
    perform imago.raise_error('IM043', plan_name, what);
  end if;
end
$$;
comment on function imago.refuse_data_loss(text, text) is 'For plans: refuses in a finalize step (IM043) what would be lost, unless the caller has said allow_data_loss. what: counts and keys, no values.

Example: select imago.refuse_data_loss(''initials'', ''3 users would lose their initials'')';

-- imago.refuse_new_keys
create or replace function imago.refuse_new_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'if coalesce(current_setting(''imago.back'', true), '''') = '''' and imago.has_app_trigger(tg_relid) and %1$s then
       raise exception using errcode = ''IM068'', message = ''a row got another key while a batch wrote it'', table = %2$L, detail = (
         select coalesce(jsonb_agg(distinct n.%3$I::text), ''[]'') from new_rows n where not exists (select from old_rows o where %4$s))::text;
     end if; ',
    -- Keys change places in one statement only where their uniqueness is looked at later.
    imago.identity_changed(write.relation, write.key_columns, exists (
      select from pg_catalog.pg_constraint c
      where c.conrelid = write.relation::pg_catalog.regclass and c.contype = 'p' and c.condeferrable)),
    write.relation, write.entity_column,
    imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '))
$$;
comment on function imago.refuse_new_keys(imago.plan_write) is 'PL/pgSQL of a capture function: raises IM068 where a trigger of the app has given rows that a batch writes another key. The journal knows rows by it.';

-- imago.rehearsal_error
create or replace function imago.rehearsal_error(plan imago.plan, error jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- What stops a run for good stops nothing here: there is no run to be retried or rolled back.
  select case when error ->> 'code' is not null then error || jsonb_build_object('hint', case error ->> 'code'
    when 'IM020' then 'Nothing was kept. The failures of this answer say who, and why: mend the cause, then try again.'
    when 'IM060' then format('Nothing was kept. Put that right (select * from imago.capture_problems(%L) lists what is wrong), then try again.', plan.name)
    else 'Nothing was kept. Mend the cause, then try again.' end) else error end
$$;
comment on function imago.rehearsal_error(imago.plan, jsonb) is 'The error that a rehearsal ended with, with a remedy that fits: nothing of it is there any more.';

-- imago.rehearsal_problems
create or replace function imago.rehearsal_problems(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('severity', 'warning', 'kind', c.kind) || f.finding order by c.kind, f.n), '[]')
  from (values ('sequence_behind', imago.sequence_findings(plan)), ('unreachable', imago.find_unreached(plan))) c(kind, findings)
  cross join lateral jsonb_array_elements(c.findings) with ordinality f(finding, n)
$$;
comment on function imago.rehearsal_problems(imago.plan) is 'What only a rehearsal can know, as problems: sequences that copied values overtake, entities that cannot be reached.';

-- imago.rehearsal_size
create or replace function imago.rehearsal_size(size integer, step jsonb)
returns integer
language sql
stable
set search_path = ''
as $$
  -- That looking takes no time says nothing of moving: up to 500 at once may be looked at, more only where so many were moved.
  select least(imago.next_size(size, w.took, null), greatest(500, imago.next_size(w.moved, w.took, null)))
  from (
    select ceil((step ->> 'migrated')::numeric / b.batches)::integer as moved,
      make_interval(secs => (step ->> 'duration_ms')::numeric / b.batches / 1000) as took
    from (select greatest(1, (step ->> 'sub_batches')::numeric) as batches) b
  ) w
$$;
comment on function imago.rehearsal_size(integer, jsonb) is 'How many at once the next call of a rehearsal takes, by what the last one has moved.';

-- imago.rehearse
create or replace function imago.rehearse(plan_name text, mode text, batch_size integer, limits jsonb, max_failures text)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '400ms'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  first_log bigint := coalesce((select max(l.id) from imago.log l), 0);
  work_ms integer := (limits ->> (mode || '_ms'))::integer - (limits ->> 'prepare_ms')::integer;
  locked_at timestamptz;
  pending jsonb;
  before jsonb;
  lsn pg_lsn;
  tried jsonb;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(imago.plan_lock_key('', 'dry_run')) then
    perform imago.raise_error('IM080');
  end if;
  -- First of all, since batches in flight are waited for.
  if run.id is not null then
    run := imago.lock_run(run.id);
    run := case when run.state in ('pending', 'running', 'paused') then run end;
  end if;
  perform imago.rehearse_settings();
  if plan.prepared_at is null then
    locked_at := clock_timestamp();
    perform imago.rehearse_prepare(plan_name, locked_at + make_interval(secs => (limits ->> 'prepare_ms')::integer / 1000.0));
    plan := imago.find_plan(plan_name);
    -- While there is a view to ask. More rows than these would take too long under the locks of prepare.
    pending := imago.pending_figures(plan, 100000);
  end if;

  run := imago.rehearse_run(plan, run, max_failures);
  before := imago.table_counters();
  lsn := pg_current_wal_insert_lsn();
  tried := imago.rehearse_stages(run, plan, mode, batch_size, imago.call_deadline(work_ms));
  return imago.dry_run_report(plan, run, tried, before, first_log)
    || jsonb_build_object(
      'mode', mode, 'wal_bytes', pg_current_wal_insert_lsn() - lsn, 'locks', imago.locks_held(),
      'stages', tried -> 'stages', 'pending', pending, 'locked_at', locked_at);
end
$$;
comment on function imago.rehearse(text, text, integer, jsonb, text) is 'The body of a dry run: prepares where needed, works like a real run, compares what was written with what was declared. The caller rolls it back.';

-- imago.rehearse_prepare
create or replace function imago.rehearse_prepare(plan_name text, ends_at timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  step jsonb;
  is_first boolean := true;
begin
  loop
    begin
      step := imago.prepare_step(plan_name);
    exception when sqlstate 'IM042' then
      -- Its statement would not find what the steps before it have made, and what is taken back here.
      perform imago.raise_error('IM079', plan_name, 'a step of it has to be run outside of a transaction');
    end;
    if step ->> 'status' = 'busy' and is_first then
      perform imago.raise_error('IM016', plan_name);
    elsif step ->> 'status' = 'busy' then
      -- Who holds this table may well wait for one that is held here: that would be so again.
      perform imago.raise_error('IM079', plan_name, 'others hold its tables');
    end if;
    exit when not (step ->> 'has_more')::boolean;
    is_first := false;
    if imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then
      perform imago.raise_error('IM079', plan_name, 'others wait for its tables');
    elsif clock_timestamp() >= ends_at then
      perform imago.raise_error('IM079', plan_name, 'that takes longer than its tables may be held');
    end if;
  end loop;
end
$$;
comment on function imago.rehearse_prepare(text, timestamptz) is 'Prepares a plan inside of a rehearsal. Gives up (IM079) as soon as somebody has to wait for that, or where it takes too long.';

-- imago.rehearse_run
create or replace function imago.rehearse_run(plan imago.plan, unfinished imago.run, max_failures text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
begin
  if unfinished.id is not null then
    update imago.run r set state = 'cancelled' where r.id = unfinished.id;
  end if;
  run := imago.open_run(plan.name, 'forward',
    max_failures => coalesce(max_failures, case unfinished.direction when 'forward' then unfinished.max_failures end));
  -- By its late lanes, which look who is pending before they lock anybody: what is locked stays so to the end.
  update imago.run r set late_only = true where r.id = run.id;
  perform imago.start_run(run.id);
  select r.* into run from imago.run r where r.id = run.id;
  return run;
end
$$;
comment on function imago.rehearse_run(imago.plan, imago.run, text) is 'The run of a rehearsal, started, with the error budget of the unfinished one, whose place it takes.';

-- imago.rehearse_settings
create or replace function imago.rehearse_settings()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What is tried stays locked to the end, so that between two looks whether somebody waits little may happen.
  update imago.setting s set value = least(s.value::integer, n.most)::text
  from (values
    ('ddl_lock_timeout_ms', 200), ('lock_timeout_ms', 100), ('sub_batch_ms', 200),
    -- Building a larger index inside of the transaction would hold its table for seconds.
    ('direct_mb', 16),
    -- Nothing is proved that writers in flight could still change.
    ('writer_wait_ms', 0)) n(name, most)
  where s.name = n.name;
  -- Hours and rates are for what stays. Signals that are ignored are ignored here, too.
  update imago.throttle t set hours_from = null, hours_to = null, time_zone = null, max_per_second = null
  where t.hours_from is not null or t.max_per_second is not null;
  perform set_config('imago.dry', 'on', true);
end
$$;
comment on function imago.rehearse_settings() is 'The settings of a rehearsal: short waits and short sub-batches. Taken back with it.';

-- imago.rehearse_stage
create or replace function imago.rehearse_stage(run_id bigint, stage integer, batch_size integer, ends_at timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  step jsonb;
  answer jsonb;
  reason text;
  size integer := 10;
  -- Between two looks whether somebody waits.
  call_ms constant integer := 200;
begin
  loop
    step := imago.work_run(run_id, call_ms, least(size, batch_size));
    answer := case when answer is null then step else imago.add_answers(answer, step) end;
    -- The timer is not armed again: without this the rest would run on past the caller's timeout.
    if imago.timed_out() then
      perform imago.raise_error('IM018');
    end if;
    reason := case
      when step ->> 'status' = 'done'
        or exists (select from imago.lane l where l.run = run_id and l.stage <> rehearse_stage.stage and not l.done) then 'complete'
      when step #>> '{error,code}' = 'IM020' then 'failures'
      when step ->> 'status' = 'busy' then 'locked'
      when step ->> 'status' = 'waiting' then 'held'
      when step ->> 'status' not in ('working', 'deferred') then 'error'
      when imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then 'waiters'
      when clock_timestamp() >= ends_at then case step ->> 'status' when 'deferred' then 'locked' else 'time' end
    end;
    exit when reason is not null;
    -- What has failed and is not resolved yet goes on in the halves that it was cut into, down to the entity.
    if (step ->> 'processed')::bigint > 0 or (step ->> 'sub_batches')::bigint = 0 then
      size := imago.rehearsal_size(size, step);
      update imago.lane l set batch_size = size where l.run = run_id and l.cursor_key is null and l.deferrals = 0 and not l.done;
    end if;
  end loop;
  return jsonb_build_object('reason', reason, 'answer', answer);
end
$$;
comment on function imago.rehearse_stage(bigint, integer, integer, timestamptz) is 'Works on a stage of a rehearsal, and says why it ended. complete, time, waiters, locked, held (by the governor), failures (the error budget) or error.';

-- imago.rehearse_stages
create or replace function imago.rehearse_stages(run imago.run, plan imago.plan, mode text, batch_size integer, ends_at timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  left_over integer := (select count(*) from imago.plan_stages(plan) s);
  -- Why the rehearsal, or the stage before, came to an end.
  reason text := 'complete';
  is_short boolean := false;
  step jsonb;
  aside record;
  answer jsonb;
  stages jsonb := '[]';
begin
  for staged in select s.* from imago.plan_stages(plan) s order by s.stage loop
    step := null;
    -- Time that a stage has not used goes to those behind it. Of a sample each has its turn, however long the others took.
    if answer is null or reason in ('complete', 'time', 'locked') and (mode = 'sample' or clock_timestamp() < ends_at) then
      -- A stage without lanes has not begun: what is left of those that were cut short is not looked for.
      delete from imago.lane l where l.run = rehearse_stages.run.id and l.stage <> staged.stage and not l.done;
      if not exists (select from imago.lane l where l.run = rehearse_stages.run.id and l.stage = staged.stage) then
        perform imago.cut_lanes(run, staged);
      end if;
      update imago.lane l set batch_size = 10, look_timed_out = imago.plan_bytes(staged) > 64 * 1024 * 1024
      where l.run = rehearse_stages.run.id and l.stage = staged.stage;
      step := imago.rehearse_stage(run.id, staged.stage, batch_size,
        case mode when 'full' then ends_at else clock_timestamp() + (ends_at - clock_timestamp()) / left_over end);
      reason := step ->> 'reason';
      answer := case when answer is null then step -> 'answer' else imago.add_answers(answer, step -> 'answer') end;
    elsif reason in ('complete', 'locked') then
      reason := 'time';
    end if;
    select count(*) filter (where f.kind <> 'deferred') as failed, count(*) filter (where f.kind = 'deferred') as locked into aside
    from imago.failure f where f.run = rehearse_stages.run.id and f.stage = staged.stage;
    stages := stages || jsonb_build_object(
      'stage', staged.stage, 'reason', reason, 'moved', coalesce((step #>> '{answer,migrated}')::bigint, 0),
      'failed', case when is_short then 0 else aside.failed end, 'unsure', case when is_short then aside.failed else 0 end,
      'locked', aside.locked, 'ms', coalesce((step #>> '{answer,duration_ms}')::numeric, 0), 'rows', coalesce(step #> '{answer,rows}', '{}'));
    if reason <> 'complete' and not is_short then
      is_short := true;
      -- Those who need what this stage has not moved fail now, whatever is wrong with them.
      update imago.run r set max_failures = '999999999' where r.id = rehearse_stages.run.id;
    end if;
    left_over := left_over - 1;
  end loop;
  return jsonb_build_object('answer', answer, 'stages', stages);
end
$$;
comment on function imago.rehearse_stages(imago.run, imago.plan, text, integer, timestamptz) is 'Works on the stages of a rehearsal, each for its share of the time. Says of each what it came to and, added up, what migrate_batch would answer.';

-- imago.relabel
create or replace function imago.relabel(value text, was text[], becomes text[], is_array boolean)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  labels text[];
begin
  if not is_array then
    return coalesce(becomes[array_position(was, value)], value);
  end if;
  labels := value::text[];
  -- By way of names that no label has: two may have changed places.
  for place in 1 .. cardinality(was) loop
    labels := array_replace(labels, was[place], chr(1) || place);
  end loop;
  for place in 1 .. cardinality(was) loop
    labels := array_replace(labels, chr(1) || place, becomes[place]);
  end loop;
  return labels::text;
end
$$;
comment on function imago.relabel(text, text[], text[], boolean) is 'A value of an enum, or of an array of one, as text, with labels renamed.';

-- imago.relation_bytes
create or replace function imago.relation_bytes(relation text)
returns bigint
language plpgsql
stable
set search_path = ''
set lock_timeout = '10ms'
as $$
declare
  tables oid[];
begin
  -- Of a partitioned table the partitions count; a plain one is not in its own partition tree.
  select array_agg(t.oid) into tables
  from (
    select pg_catalog.to_regclass(relation)::oid as oid
    union
    select i.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation)) i
  ) t;
  return (select sum(pg_catalog.pg_relation_size(t.oid))::bigint from unnest(tables) t(oid));
exception when lock_not_available then
  -- Somebody alters a table: nobody waits for that to learn a size.
  return (
    select sum(greatest(c.relpages, 0))::bigint * current_setting('block_size')::bigint from pg_catalog.pg_class c
    where c.oid = pg_catalog.to_regclass(relation) or c.oid in (
      select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = pg_catalog.to_regclass(relation)));
end
$$;
comment on function imago.relation_bytes(text) is 'Bytes of a table and its partitions, without indexes and TOAST; as of the last analyze while somebody is altering one. Null where there is none.';

-- imago.relation_problems
create or replace function imago.relation_problems(relation text, must_exist boolean default true)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  class pg_catalog.pg_class;
begin
  select c.* into class from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(relation);
  if not found then
    if must_exist then
      return query select 'error', 'missing_relation', relation, 'table is missing', 'Create it, or use a plan that fits this app.';
    end if;
    return;
  end if;
  if class.relkind not in ('r', 'p') or class.relispartition then
    return query select 'error', 'not_a_table', relation, 'is not a table or a partitioned parent',
      'Views, foreign tables and single partitions cannot be migrated; name the table itself.';
    return;
  end if;
  if not pg_catalog.pg_has_role(class.relowner, 'usage') then
    return query select 'error', 'foreign_owner', relation, format('is owned by %s, not by %s', class.relowner::pg_catalog.regrole, current_user),
      imago.owner_remedy(class.relowner);
  end if;
  return query
    select 'error', 'no_right', relation, format('%s has no right to %s', current_user, string_agg(r.name, ', ' order by r.n)),
      format('grant %s on %s to %I;', string_agg(r.name, ', ' order by r.n), relation, current_user)
    from unnest(array['select', 'insert', 'update', 'delete', 'references', 'trigger']) with ordinality r(name, n)
    where not pg_catalog.has_table_privilege(class.oid, r.name) and pg_catalog.pg_has_role(class.relowner, 'usage')
    having count(*) > 0;
  return query
    select 'error', 'no_right', format('schema %s', class.relnamespace::pg_catalog.regnamespace), format('%s may not create there', current_user),
      imago.schema_remedy(class.relnamespace, 'create')
    where not pg_catalog.has_schema_privilege(class.relnamespace, 'create');
  -- Keys of a parent hold neither for its children's rows nor are those seen by foreign keys; and triggers of the one do not fire
  -- for what is written through the other.
  return query
    select 'error', 'inheritance', relation, format('%s %s', case when i.inhparent = class.oid then 'is inherited by' else 'inherits from' end,
        case when i.inhparent = class.oid then i.inhrelid else i.inhparent end::pg_catalog.regclass),
      format('alter table %s no inherit %s; or make it a partitioned table.', i.inhrelid::pg_catalog.regclass, i.inhparent::pg_catalog.regclass)
    from pg_catalog.pg_inherits i
    where class.relkind = 'r' and class.oid in (i.inhparent, i.inhrelid);
  return query
    select 'error', case when c.relkind = 'f' then 'not_a_table' else 'foreign_owner' end, relation,
      case when c.relkind = 'f' then format('has the partition %s, a foreign table', c.oid::pg_catalog.regclass)
        else format('has the partition %s, which is owned by %s, not by %s', c.oid::pg_catalog.regclass, c.relowner::pg_catalog.regrole, current_user) end,
      case when c.relkind = 'f' then format('alter table %s detach partition %s; what is written there cannot be journaled.', relation, c.oid::pg_catalog.regclass)
        else imago.owner_remedy(c.relowner) end
    from pg_catalog.pg_partition_tree(class.oid) t join pg_catalog.pg_class c on c.oid = t.relid
    where c.relispartition and (c.relkind = 'f' or not pg_catalog.pg_has_role(c.relowner, 'usage'));
  if imago.primary_key(relation) is null then
    return query select 'error', 'no_primary_key', relation, 'has no primary key', 'Add one: the journal names rows by it.';
  end if;
end
$$;
comment on function imago.relation_problems(text, boolean) is 'For plans: what keeps a relation from being migrated. It is missing, no table, owned by somebody else, without rights, inherited, or has no primary key. Each is a row for preflight().

Example: select * from imago.relation_problems(''public.users'')';

-- imago.remaining_entities
create or replace function imago.remaining_entities(run imago.run, plan imago.plan, most integer)
returns text[]
language plpgsql
volatile
set search_path = ''
-- What is pending is looked up in a hash of the few rows that are left. How many those are is estimated from old statistics, so that
-- with little memory allowed the planner would rather ask for each entity, which takes ten times as long.
set work_mem = '512MB'
set jit = off
as $$
declare
  source text;
  result text[];
begin
  if run.direction = 'forward' then
    source := format('select entity from %s', imago.plan_object(plan, 'pending'));
  else
    select coalesce(string_agg(format('select entity from imago_undo.%I', w.undo_table), ' union '), 'select null::text as entity where false')
      into source
    from imago.stage_writes(plan) w;
  end if;
  -- The view may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(entity::text order by entity), ''{}'') from (
       select entity from (%s) l
       where case when entity is null then not $5 else entity::text not in (select imago.set_aside_keys($1, $2, stage => $4)) end
       limit $3) first_ones', source)
  into result using plan.name, run.direction, most, plan.stage,
    exists (select from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.stage = plan.stage and f.entity is null);
  return result;
end
$$;
comment on function imago.remaining_entities(imago.run, imago.plan, integer) is 'Entities of a stage that are still to be moved anywhere and are not set aside, at most so many. Twice what a view lists twice, and null until it is noted. The proof of completeness.';

-- imago.remove_rows
create or replace function imago.remove_rows(plan imago.plan, keys anyarray, careful boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  reference record;
  counts jsonb := '{}';
  affected bigint;
  inserted text;
  nulling text[];
  updated bigint;
begin
  for write in
    select w.* from imago.stage_writes(plan) w where w.inserts order by w.position desc
  loop
    inserted := format(
      '(select %s from imago_undo.%I j where j.entity = any %s and j.op = ''i'')',
      imago.each_column('j.key_%1$s::%3$s', write.relation, write.key_columns), write.undo_table, imago.keys_sql(plan));
    if not careful then
      perform imago.expect_unreferenced(plan, write, keys);
      nulling := imago.nulled_relations(plan, write.relation);
      updated := imago.rows_updated(nulling);
    end if;
    for reference in select p.* from imago.referencing_columns(plan.name, write.relation) p where careful and (p.pointing).id is not null and plan.stage > 0 loop
      perform set_config('search_path', imago.app_search_path(), true);
      execute format('update %1$s r set %2$I = null where r.%2$I = any (array%3$s)', reference.relation, reference.columns[1], inserted) using keys;
      get diagnostics affected = row_count;
      perform pg_catalog.set_config('search_path', '', true);
      counts := imago.add_counts(counts, jsonb_build_object(reference.relation || ':detached', affected));
    end loop;
    perform set_config('search_path', imago.app_search_path(), true);
    execute format('delete from %s t where (%s) in %s', write.relation,
      imago.each_column('t.%2$I', write.relation, write.key_columns), inserted) using keys;
    get diagnostics affected = row_count;
    perform pg_catalog.set_config('search_path', '', true);
    counts := counts || jsonb_build_object(write.relation || ':removed', affected);
    if not careful and imago.rows_updated(nulling) > updated then
      raise exception using errcode = '40IM1', message = 'an inserted row was referenced', table = write.relation;
    end if;
  end loop;
  return counts;
end
$$;
comment on function imago.remove_rows(imago.plan, anyarray, boolean) is 'Removes the inserted rows of these entities; counts by relation. What the app pointed at them is detached before.';

-- imago.remove_sync
create or replace function imago.remove_sync(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  sync imago.plan_sync;
  own record;
begin
  for sync in select s.* from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null order by s.position loop
    -- Wherever they are: a partition may have been detached since.
    for own in
      select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
      where t.tgfoid = pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.sync_function(sync.plan, sync.position)))
      order by t.tgrelid, t.tgname
    loop
      execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
    end loop;
    execute format('drop function if exists imago_undo.%I()', imago.sync_function(sync.plan, sync.position));
    update imago.plan_sync s set installed_at = null where s.plan = plan_name and s.position = sync.position;
  end loop;
end
$$;
comment on function imago.remove_sync(text) is 'Removes the sync triggers of a plan from the app''s tables. Waits for their locks as long as lock_timeout allows.';

-- imago.remove_triggers
create or replace function imago.remove_triggers(plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  walk record;
  own record;
begin
  perform imago.remove_sync(plan.name);
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.captured_at is not null order by w.position loop
    -- Wherever they are, by what they call: a partition may have been detached since, a table renamed.
    for own in
      select t.tgname, t.tgrelid::pg_catalog.regclass as relation
      from pg_catalog.pg_trigger t
      where t.tgparentid = 0
        and (t.tgfoid in (select pg_catalog.to_regprocedure(format('imago_undo.%I()', write.undo_table || suffix))
                          from unnest(array['_insert', '_update', '_note', '_keep']) suffix)
             or t.tgfoid = 'imago.drop_forged_batch()'::pg_catalog.regprocedure and t.tgname = imago.trigger_name(plan.name, 'guard'))
      order by t.tgrelid, t.tgname
    loop
      execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
    end loop;
    update imago.plan_write w set captured_at = null, kept_at = null where w.id = write.id;
  end loop;
  for walk in select imago.walk_function(plan.name, o.stage) as routine from imago.walked_only(plan.name) o where o.is_installed loop
    for own in
      select t.tgname, t.tgrelid::pg_catalog.regclass as relation from pg_catalog.pg_trigger t
      where t.tgfoid = pg_catalog.to_regprocedure(format('imago_undo.%I()', walk.routine)) order by t.tgrelid
    loop
      execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
    end loop;
    execute format('drop function if exists imago_undo.%I()', walk.routine);
  end loop;
  -- Those that steps of the plan have put up by themselves, to follow what is written while they copy.
  for own in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation
    from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(plan.name)) and not t.tgisinternal and t.tgname ~ '^[!~]imago_'
    order by t.tgrelid, t.tgname
  loop
    execute format('drop trigger if exists %I on %s', own.tgname, own.relation);
  end loop;
end
$$;
comment on function imago.remove_triggers(imago.plan) is 'Removes our triggers from the app''s tables: when everything is back, or when finalize closes the way back. The caller bounds the wait for the tables.';

-- imago.renames
create or replace function imago.renames(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(
    format('%s is %s now', d.first_relation || coalesce('.' || quote_ident(nullif(d.first_name, '')), ''),
      d.relation || coalesce('.' || quote_ident(nullif(d.name, '')), '')), ', ' order by d.relation, d.number)
  from imago.declared d
  where d.plan = plan_name and (d.first_name <> d.name or d.number = 0 and d.first_relation <> d.relation)
$$;
comment on function imago.renames(text) is 'Tables and columns of a plan that are called otherwise than when it was prepared, for people; null if there are none.';

-- imago.reopen_findings
create or replace function imago.reopen_findings(validation_id bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  validation imago.validation;
begin
  select v.* into validation from imago.validation v where v.id = validation_id;
  if not validation.fixes or not exists (
    select from imago.validation_check i join imago.plan_check c on c.id = i.plan_check
    where i.validation = validation_id and i.found > 0 and c.fix is not null and i.error is null) then
    return false;
  end if;
  -- Walked once more: what has a fix is fixed, what has none is counted again, for the fixes may have mended it.
  update imago.validation_check i set
    done = false, cursor_key = null, size = least(i.size, 1000), total = i.total + i.checked, remaining = 0,
    facts = case when c.counts then '{}' else i.facts end
  from imago.plan_check c
  where c.id = i.plan_check and i.validation = validation_id and i.found > 0 and c.source is not null and i.error is null
    and (c.fix is not null or not validation.dry_run);
  return true;
end
$$;
comment on function imago.reopen_findings(bigint) is 'Opens the checks that have found something for the second walk, which fixes; false when nothing can be fixed.';

-- imago.reopen_late_lanes
create or replace function imago.reopen_late_lanes(run_id bigint)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.lane l set
    done = false, cursor_key = null, batch_size = least(l.batch_size, 500), deferrals = 0,
    moved_before = (select sum(late.moved) from imago.lane late where late.run = run_id and late.pass = 'late')
  where l.run = run_id and l.pass = 'late'
$$;
comment on function imago.reopen_late_lanes(bigint) is 'Has the late lanes walked once more, because looking for what is left does not fit one call.';

-- imago.reopen_plan
create or replace function imago.reopen_plan(plan_name text, direction text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A step of finalize that is under way is waited for, and the next one waits until this run is there to be seen.
  perform from imago.plan p where p.name = plan_name for share;
  perform imago.expect_not_finalized(plan_name, direction);
  -- Finalize begins anew after this run, with the same idempotent steps.
  update imago.plan_step s set done_at = null, cursor_key = null, walked = 0
  where s.plan = plan_name and s.phase <> 'prepare' and (s.done_at is not null or s.cursor_key is not null);
  update imago.plan p set finalizing_at = null, checking_since = null, checking_stage = null, checking_key = null, checked_at = null
  where p.name = plan_name and (p.finalizing_at is not null or p.checking_since is not null);
  update imago.plan_write w set left_unindexed = '{}' where w.plan = plan_name and w.left_unindexed <> '{}';
  update imago.plan p set cleaned_at = null where p.name = plan_name and p.cleaned_at is not null;
end
$$;
comment on function imago.reopen_plan(text, text) is 'For a run that was just created: refuses where the way back is closed, and lets go of what finalize had begun. Forgets which indexes were left to a person, too.';

-- imago.report
create or replace function imago.report(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  progress jsonb := imago.progress(plan_name);
  performance constant jsonb := imago.performance(plan_name);
  statistics jsonb;
  hint text;
begin
  begin
    statistics := imago.statistics(plan_name);
  exception
    when query_canceled then
      -- To count a very large table does not fit a call. All else is known.
      if not imago.timed_out() then
        raise;
      end if;
    when sqlstate 'IM071' then
      -- As in stage_figures, which has no need of all that statistics read.
      get stacked diagnostics hint = pg_exception_hint;
      progress := progress || jsonb_build_object('count_error', coalesce(
        nullif(progress -> 'count_error', 'null'), jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'hint', hint)));
  end;
  return jsonb_build_object('plan', plan_name, 'progress', progress, 'performance', performance, 'statistics', statistics);
end
$$;
comment on function imago.report(text) is 'All figures of a plan of one moment, each as the function of its name has it. Statistics are null where counting does not fit the statement timeout, or fails: progress then says why (count_error).';

-- imago.requested_checkpoints
create or replace function imago.requested_checkpoints()
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  result bigint;
begin
  -- The view has changed its name: what is not there must not be parsed.
  if current_setting('server_version_num')::integer >= 170000 then
    execute 'select num_requested from pg_catalog.pg_stat_checkpointer' into result;
  else
    execute 'select checkpoints_req from pg_catalog.pg_stat_bgwriter' into result;
  end if;
  return result;
end
$$;
comment on function imago.requested_checkpoints() is 'Checkpoints on request since the statistics were reset.';

-- imago.resolve_moves
create or replace function imago.resolve_moves(write imago.plan_write, names text[], moves jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  entity integer := array_position(names, coalesce(write.entity_column, write.key_columns[1])) - 1;
  key text := (select format('array[%s]', string_agg(format('m %%1$s ->> %s', array_position(names, c) - 1), ', ' order by n))
               from unnest(write.key_columns) with ordinality u(c, n));
  is_there text := format('exists (select from %s t where %s)', write.relation,
    imago.each_column('t.%2$I = %%1$s[%1$s]::%3$s', write.relation, write.key_columns, ' and '));
  -- What the plan calls it.
  declared text := (select w.relation from imago.plan_write w where w.id = write.id);
  result jsonb;
begin
  -- A foreign key of several rows' worth of cascades may have changed a row more than once. Where nothing is called by what it
  -- was given, it was given something else after that.
  execute format(
    'with recursive moved as materialized (
       select n, %1$s as old_key, %2$s as new_key, m -> 0 ->> %3$s as old_entity, m -> 1 ->> %3$s as new_entity
       from jsonb_array_elements($1) with ordinality x(m, n)
     ), walk as (
       select n, n as last, old_key, new_key, old_entity, new_entity from moved
       union all
       select w.n, m.n, w.old_key, m.new_key, w.old_entity, m.new_entity
       from walk w join moved m on m.old_key = w.new_key and m.n > w.last and m.new_key <> m.old_key
       where not %4$s
     ), ends as (
       select distinct on (w.n) w.* from walk w order by w.n, w.last desc
     ), own as (
       select e.*, count(*) over (partition by e.new_key) = 1 as is_certain, e.new_key = e.old_key or %5$s as is_there,
         array[coalesce(e.old_entity, $4), e.new_entity] || array(
           select s.entity from imago.stray_row s
           where s.plan = $2 and s.relation = $3 and s.row_key = e.old_key) as entities
       from ends e where e.n not in (select w.last from walk w where w.last <> w.n)
     )
     select coalesce(jsonb_agg(to_jsonb(o)), ''[]'') from own o',
    format(key, '-> 0'), format(key, '-> 1'), entity, format(is_there, 'w.new_key'), format(is_there, 'e.new_key'))
  into result using moves, write.plan, declared, imago.nobody(write.undo_table);
  return result;
end
$$;
comment on function imago.resolve_moves(imago.plan_write, text[], jsonb) is 'For each row of a declared write whose identity has changed: its key and its entity before and after the statement. is_certain: no other row was given that key; is_there: it is in the table; entities: whom its journal may name.';

-- imago.restore_rows
create or replace function imago.restore_rows(run imago.run, plan imago.plan, keys anyarray, careful boolean, out counts jsonb, out journaled jsonb)
language plpgsql
volatile
set search_path = ''
-- By key, each of them: a join that reads the whole table through its index looks as cheap to the planner and grows with it.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  write imago.plan_write;
  expected record;
  restored bigint;
  again bigint;
  statement text;
  join_key text;
  changed text;
  altered boolean;
  moved boolean;
  missed boolean;
begin
  counts := '{}';
  journaled := '{}';
  for write in
    select w.* from imago.stage_writes(plan) w where w.columns <> '{}' order by w.position desc
  loop
    select u.* into expected from imago.undo_rows(write, plan, keys) u;
    journaled := journaled || jsonb_build_object(write.relation, expected.journaled);
    join_key := imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    changed := imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or ');
    statement := format(
      'with done as (update %2$s t set %3$s from (%1$s) j where %4$s and (%5$s) and (%6$s) returning %5$s as is_altered, not (%4$s) as is_moved)
       select count(*), coalesce(bool_or(d.is_altered), false), coalesce(bool_or(d.is_moved), false) from done d',
      expected.query, write.relation,
      imago.each_column('%2$I = j.before_%1$s::%3$s', write.relation, write.columns), join_key, changed,
      case when run.force then 'true'
        else imago.each_column('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and ') end);
    perform set_config('search_path', imago.app_search_path(), true);
    execute statement into restored, altered, moved using keys;
    perform pg_catalog.set_config('search_path', '', true);
    if moved then
      raise exception using errcode = 'IM072', message = 'a primary key was changed', table = write.relation;
    end if;
    if altered then
      perform imago.raise_kept(imago.find_kept(plan, keys::text[], removing => false));
    end if;
    -- Rows that are gone, or were back already, are fine. One that still differs was changed by somebody: after the check, if there was one.
    if restored < expected.row_count then
      execute format('select exists (select from (%s) j join %s t on %s where %s)', expected.query, write.relation, join_key, changed)
        into missed using keys;
      if missed then
        if careful then
          -- Somebody may have given a row another key when it had its turn. A trigger that keeps one does so again.
          perform set_config('search_path', imago.app_search_path(), true);
          execute statement into again, altered using keys;
          perform pg_catalog.set_config('search_path', '', true);
          perform imago.raise_kept(k) from imago.find_unrestored(write, plan, keys::text[], run.force) k where k <> '[]' and again = 0;
        end if;
        raise exception using errcode = case when careful then '40001' else '40IM1' end, message = 'a row changed while its entity was going back', table = write.relation;
      end if;
    end if;
    counts := counts || jsonb_build_object(write.relation, restored);
  end loop;
end
$$;
comment on function imago.restore_rows(imago.run, imago.plan, anyarray, boolean) is 'Puts the declared columns of these entities back to what they were before the first batch; counts by relation. journaled: how many rows of the journal that came from.';

-- imago.restore_sides
create or replace function imago.restore_sides(plan imago.plan, batch bigint, sides jsonb)
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  names text[];
  wanted text;
  same_row text;
  kept jsonb;
begin
  perform set_config('imago.batch', format('%s:%s:side', plan.name, batch), true);
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and sides ? w.relation order by w.position desc
  loop
    select array_agg(distinct k) into names
    from jsonb_array_elements(sides -> write.relation) s cross join lateral jsonb_object_keys(s -> 'columns') k;
    perform set_config('search_path', imago.app_search_path(), true);
    wanted := format(
      'select s ->> ''entity'' as entity, s -> ''columns'' as columns, s -> ''key'' as row_key, %s from jsonb_array_elements($1) s',
      imago.each_column('(s -> ''key'' ->> (%1$s - 1))::%3$s as key_%1$s', write.relation, write.key_columns));
    same_row := imago.each_column('t.%2$I = w.key_%1$s', write.relation, write.key_columns, ' and ');
    execute format(
      'update %1$s t set %2$s from (%3$s) w where %4$s',
      write.relation,
      (select string_agg(format('%1$I = case when w.columns ? %1$L then (w.columns ->> %1$L)::%2$s else t.%1$I end', c.name, c.type), ', ')
       from imago.journal_columns(write.relation, names) c),
      wanted, same_row)
    using sides -> write.relation;
    -- A later statement: it sees what triggers of the app have made of it.
    execute format(
      'select jsonb_agg(jsonb_build_object(''entity'', w.entity, ''relation'', %1$L, ''row_key'', (
         select string_agg(k, '','') from jsonb_array_elements_text(w.row_key) k)))
       from (%2$s) w join %1$s t on %3$s where not (%4$s)',
      write.relation, wanted, same_row,
      (select string_agg(format('(not w.columns ? %1$L or t.%1$I::text is not distinct from w.columns ->> %1$L)', c.name), ' and ')
       from imago.journal_columns(write.relation, names) c))
    into kept using sides -> write.relation;
    perform pg_catalog.set_config('search_path', '', true);
    exit when kept is not null;
  end loop;
  perform set_config('imago.batch', format('%s:%s:back', plan.name, batch), true);
  if kept is not null then
    perform imago.raise_kept(kept);
  end if;
end
$$;
comment on function imago.restore_sides(imago.plan, bigint, jsonb) is 'Puts undeclared columns back to what they were. It comes after all else, so that what triggers of the app do while rows go back is undone as well.';

-- imago.retry_failed
create or replace function imago.retry_failed(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_run(plan_name);
  retried integer;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  -- Alone: workers hold lanes, and here all late ones are opened again.
  run := imago.lock_last_run(plan_name);
  perform imago.expect_not_finalized(plan_name, run.direction);
  if run.state <> 'running' then
    perform imago.transition_run(run.id, 'retry', 'asked for');
  end if;
  delete from imago.failure f where f.plan = plan_name and f.direction = run.direction and f.kind in ('failed', 'deferred', 'too_large', 'unreachable');
  get diagnostics retried = row_count;
  delete from imago.standstill s where s.run = run.id;
  -- Lanes that were walked are walked once more by the late pass; the others simply go on.
  update imago.lane l set done = false, cursor_key = null, batch_size = 2000, deferrals = 0, waits_for = null, moved_before = null
  where l.run = run.id and l.pass = 'late';
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'retried', retried, 'direction', run.direction,
    'state', (select r.state from imago.run r where r.id = run.id));
end
$$;
comment on function imago.retry_failed(text) is 'Forgets failures of the newest run and reopens its late pass.';

-- imago.revoke_plan_functions
create or replace function imago.revoke_plan_functions(name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine regprocedure;
begin
  perform imago.find_plan(name);
  for routine in select p.oid from pg_catalog.pg_proc p where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(name)) loop
    execute format('revoke all on function %s from public, anon, authenticated', routine);
  end loop;
end
$$;
comment on function imago.revoke_plan_functions(text) is 'For plans: revokes the functions of a plan''s schema from everybody. The last statement of registration.sql.

Example: select imago.revoke_plan_functions(''initials'')';

-- imago.roll_back
create or replace function imago.roll_back(plan_name text, max_ms integer, force boolean default null, run_id bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  driven imago.run;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_size(null, max_ms);
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'rollback');
  end if;
  if run_id is not null then
    driven := imago.expect_run(plan_name, 'rollback', run_id);
    if driven.force <> force then
      perform imago.raise_error('IM007', driven.id::text, plan_name, 'force', driven.force::text, force::text);
    end if;
    return imago.work_run(driven.id, max_ms);
  end if;
  driven := imago.last_run(plan_name);
  if driven.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  perform imago.follow_schema(plan_name);
  begin
    driven := imago.start_rollback(plan_name, force);
  exception when sqlstate 'IM016' then
    return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp()) - 'migrated'
      || '{"run": null, "direction": "rollback", "rolled_back": 0}';
  end;
  return imago.work_run(driven.id, max_ms);
end
$$;
comment on function imago.roll_back(text, integer, boolean, bigint) is 'One call''s worth of taking a migration back: opens the rollback or finds it, and works.';

-- imago.roll_back_all
create or replace function imago.roll_back_all(plan_name text, force boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  result jsonb;
  rolled_back bigint := 0;
  rows jsonb := '{}';
  deferrals integer := 0;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_session();
  perform imago.expect_writable();
  loop
    result := imago.roll_back(plan_name, 3600000, force);
    rolled_back := rolled_back + coalesce((result ->> 'rolled_back')::bigint, 0);
    rows := imago.add_counts(rows, result -> 'rows');
    exit when result ->> 'status' not in ('working', 'deferred');
    -- Somebody's lock is waited for a few times, not for ever: all that we have taken back is locked meanwhile.
    deferrals := case result ->> 'status' when 'deferred' then deferrals + 1 else 0 end;
    exit when deferrals > 10;
  end loop;
  if result ->> 'status' = 'failed' then
    raise exception using
      errcode = result #>> '{error,code}', message = result #>> '{error,message}', hint = result #>> '{error,hint}';
  elsif result ->> 'status' = 'waiting' then
    perform imago.raise_error('IM088', plan_name, result ->> 'reason');
  elsif (result ->> 'has_more')::boolean then
    perform imago.raise_error('IM016', plan_name);
  end if;
  return result || jsonb_build_object('rolled_back', rolled_back, 'rows', rows);
end
$$;
comment on function imago.roll_back_all(text, boolean) is 'Takes a whole migration back, call after call within the caller''s transaction.';

-- imago.rollback_entity
create or replace function imago.rollback_entity(plan_name text, entity text, force boolean, stage integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  staged imago.plan;
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
begin
  if entity is null then
    perform imago.raise_error('IM004', 'entity');
  end if;
  if force is null then
    perform imago.raise_error('IM004', 'force');
  end if;
  perform imago.expect_session();
  perform imago.expect_writable();
  plan := imago.followed_plan(plan_name);
  perform imago.expect_journal(plan_name);
  run := imago.entity_run(plan, 'rollback');
  run.force := force;
  run.direction := 'rollback';
  staged := imago.entity_stage(plan, entity, stage, true);
  if exists (
    select from imago.failure f
    where f.plan = plan_name and f.kind = 'forgotten' and f.stage = coalesce(staged.stage, rollback_entity.stage, 1)
      and f.entity = rollback_entity.entity) then
    perform imago.raise_error('IM075', plan_name, imago.plan_words(plan) ->> 'entity_singular');
  end if;
  if staged.name is null then
    return imago.entity_answer(imago.plan_at_stage(plan, coalesce(stage, 1)), entity, attempt, false, started);
  end if;
  entity := imago.canonical_key(staged, entity);

  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  if imago.keep_late_triggers(plan_name) = 'deferred' then
    perform imago.raise_error('IM016', plan_name);
  end if;
  attempt := imago.attempt_batch(run, staged, array[entity], 'entity');
  perform imago.raise_attempt(staged, attempt);
  perform imago.expect_visible(plan_name);
  if attempt.moved = 1 then
    run.direction := 'forward';
    perform imago.set_aside(run, entity, 'held', reason => 'rolled back alone', stage => staged.stage);
  end if;
  return imago.entity_answer(staged, entity, attempt, attempt.moved = 1, started);
end
$$;
comment on function imago.rollback_entity(text, text, boolean, integer) is 'Takes one entity back through the journal and holds it.';

-- imago.rows_updated
create or replace function imago.rows_updated(relations text[])
returns bigint
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(pg_catalog.to_regclass(r.relation))), 0)::bigint from unnest(relations) r(relation));
end
$$;
comment on function imago.rows_updated(text[]) is 'Rows of these tables that this transaction has updated so far; take differences.';

-- imago.rows_written
create or replace function imago.rows_written(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_object_agg(
      w.relation,
      -- Rows of a partitioned table are counted on its partitions.
      (select sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(t.oid))
       from (select c.oid union select p.relid from pg_catalog.pg_partition_tree(c.oid) p) t(oid))), '{}')
    from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
    where w.plan = rows_written.plan);
end
$$;
comment on function imago.rows_written(text) is 'Rows that this transaction has written so far in each declared relation; take differences.';

-- imago.rule_problems
create or replace function imago.rule_problems(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select distinct 'error', 'rule', format('rule %I on %s', r.rulename, w.relation),
    'is done instead of, or beside, what the plan and its way back write, and PostgreSQL refuses some of that',
    format('drop rule %I on %s; or alter table %s disable rule %I; a trigger can do the same.', r.rulename, w.relation, w.relation, r.rulename)
  from imago.plan_write w
  join pg_catalog.pg_rewrite r on r.ev_class = pg_catalog.to_regclass(w.relation) and r.ev_enabled in ('O', 'A')
    -- Rows that are inserted are removed in a rollback; updates are updates both ways.
    and (w.inserts and r.ev_type in ('3', '4') or w.columns <> '{}' and r.ev_type = '2')
  where w.plan = rule_problems.plan.name
$$;
comment on function imago.rule_problems(imago.plan) is 'Rules of the app on tables that the plan writes. Statements with RETURNING, or in WITH, fail there, and no trigger sees what a rule does.';

-- imago.run_error
create or replace function imago.run_error(run imago.run)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  error_of_code text := case when run.error_code ~ '^IM' then run.error_code else 'IM024' end;
  details text[] := coalesce(run.error_detail, array[run.plan]);
  result jsonb;
begin
  select jsonb_build_object(
      'code', e.code, 'message', format(e.message, variadic details || run.plan), 'hint', format(e.hint, variadic details || run.plan))
    into result
  from imago.error e where e.code = error_of_code;
  return result;
end
$$;
comment on function imago.run_error(imago.run) is 'Why a run failed, as code, message and hint.';

-- imago.run_error_checks
create or replace function imago.run_error_checks(plan imago.plan, run_id bigint, deadline timestamptz, since timestamptz, may_step boolean default true)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  held imago.validation := imago.claim_validation(plan, false, false, since, run_id);
begin
  if held.id is null then
    return imago.busy_answer(plan, false, false, false, clock_timestamp(), run_id) || '{"failing": []}';
  end if;
  held := imago.work_validation(held, plan, deadline, may_step);
  return imago.validation_answer(held.id, held.state, false, clock_timestamp())
    || jsonb_build_object('failing', imago.failing_checks(held.id));
end
$$;
comment on function imago.run_error_checks(imago.plan, bigint, timestamptz, timestamptz, boolean) is 'One call''s worth of the checks that must not fail, for the end of a run and for finalize. It is the same validation that a person sees. Call until has_more is false; failing names the checks that fail or cannot be evaluated. since: what was counted before is counted again.';

-- imago.run_history
create or replace function imago.run_history(plan_name text, points integer)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  if points is null or points not between 1 and 10000 then
    perform imago.raise_error('IM015', 'points', coalesce(points::text, 'null'), '1 to 10000');
  end if;
  return (
    with runs as (
      -- Fixes of one validation are one line of the picture, although each call has a run of its own.
      select min(r.id) as run, max(r.id) as last_run, array_agg(r.id) as ids,
        case when r.validation is null then min(r.direction) else 'fix' end as direction,
        min(coalesce(r.started_at, r.created_at)) as started_at, max(r.finished_at) as finished_at
      from imago.run r
      where r.plan = plan_name
      group by r.validation, case when r.validation is null then r.id end
      order by run desc
      limit 50
    )
    select imago.plan_words(imago.find_plan(plan_name)) || jsonb_build_object('plan', plan_name, 'runs', coalesce(jsonb_agg(jsonb_build_object(
      'run', u.run, 'direction', u.direction, 'state', (select r.state from imago.run r where r.id = u.last_run),
      'started_at', u.started_at, 'finished_at', u.finished_at,
      'moved', (select coalesce(sum(b.moved), 0) from imago.batch b where b.run = any (u.ids)),
      'failed', (select count(*) from imago.log l where l.plan = plan_name and l.run = any (u.ids) and l.event in ('failed', 'too_large', 'unreachable', 'conflict')),
      'points', imago.run_points(plan_name, u.ids, u.started_at, points)) order by u.run), '[]'))
    from runs u);
end
$$;
comment on function imago.run_history(text, integer) is 'The last 50 runs of a plan over time, for a picture: rate, batch size and failures.';

-- imago.run_lock_key
create or replace function imago.run_lock_key(run_id bigint)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago run ' || run_id, 0)
$$;
comment on function imago.run_lock_key(bigint) is 'Key of the advisory lock that stands before a run''s row. Batches take it shared, transitions exclusive, first come, first served.';

-- imago.run_mark
create or replace function imago.run_mark(run imago.run)
returns text
language sql
volatile
set search_path = ''
as $$
  select md5(concat_ws('|',
    (select string_agg(to_jsonb(l) - 'updated_at' #>> '{}', ',' order by l.stage, l.pass, l.number) from imago.lane l where l.run = run.id),
    (select format('%s %s', count(*), max(f.id)) from imago.failure f where f.plan = run.plan),
    (select string_agg(to_jsonb(i) #>> '{}', ',' order by i.validation, i.position)
     from imago.validation v join imago.validation_check i on i.validation = v.id where v.run = run.id),
    (select count(*) from imago.plan_step s where s.plan = run.plan and s.done_at is not null)))
$$;
comment on function imago.run_mark(imago.run) is 'A fingerprint of all by which one sees that a run gets on.';

-- imago.run_points
create or replace function imago.run_points(plan_name text, runs bigint[], started_at timestamptz, points integer)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with batches as (
    select b.moved, b.size, b.created_at as began, b.created_at + greatest(b.ms, 0.001) * interval '1 ms' as ended
    from imago.batch b where b.run = any (runs) and b.ms is not null and b.path <> 'sync'
  ), span as (
    select least(started_at, min(b.began)) as began, least(points, count(*))::integer as slices,
      (max(b.ended) - least(started_at, min(b.began))) / nullif(least(points, count(*)), 0) as width
    from batches b
  ), slices as (
    select n, s.began + (n - 1) * s.width as began, s.began + n * s.width as ended
    from span s cross join generate_series(1, s.slices) n
  ), filled as (
    -- Batches of several workers overlap: each counts for a slice as far as it lies in it.
    select s.n, s.ended, extract(epoch from s.ended - s.began) as seconds, max(b.size) as size,
      coalesce(sum(b.moved * extract(epoch from least(b.ended, s.ended) - greatest(b.began, s.began))
        / extract(epoch from b.ended - b.began)), 0) as moved
    from slices s left join batches b on b.began < s.ended and b.ended > s.began
    group by s.n, s.began, s.ended
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'at', s.ended, 'per_minute', round(60 * s.moved / s.seconds), 'batch_size', s.size,
    'failures', (select count(*) from imago.log l where l.plan = plan_name and l.run = any (runs)
                 and l.event in ('failed', 'too_large', 'unreachable', 'conflict') and l.created_at <= s.ended)) order by s.n), '[]')
  from filled s
$$;
comment on function imago.run_points(text, bigint[], timestamptz, integer) is 'Some runs in at most so many slices of equal length. At the end of each: entities a minute, the largest sub-batch (null where none ran), failures so far.';

-- imago.run_step
create or replace function imago.run_step(step imago.plan_step)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  said text;
  answer jsonb;
begin
  if step.source is not null then
    return imago.walk_step(step);
  end if;
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('select %I.%I()', step.plan, step.routine) into said;
  -- Now, while the app's code finds its names, and not when the caller commits.
  set constraints all immediate;
  perform pg_catalog.set_config('search_path', '', true);
  -- Views and tables of its own schema are for nobody else, whatever the default privileges say.
  perform imago.close_table(c.oid::pg_catalog.regclass::text)
  from pg_catalog.pg_class c
  where c.relnamespace = pg_catalog.to_regnamespace(quote_ident(step.plan)) and c.relkind in ('r', 'p', 'v', 'm') and c.relacl is not null;
  if step.direct and not coalesce(said::boolean, false) then
    perform imago.raise_error('IM042', step.name, step.plan, step.statement,
      format('schedule_migration(%L%s)', step.plan, case step.phase when 'finalize' then ', finalize => true' else '' end));
  end if;
  answer := '{"has_more": false, "warnings": []}'::jsonb || case when said like '{%' then said::jsonb else '{}' end;
  if not (answer ->> 'has_more')::boolean then
    update imago.plan_step s set done_at = clock_timestamp() where s.plan = step.plan and s.position = step.position;
  end if;
  return answer;
end
$$;
comment on function imago.run_step(imago.plan_step) is 'Calls the routine of a step and notes that it is done, unless it wants to be called again (has_more). A direct step whose statement has yet to be run is refused with it (IM042).';

-- imago.run_ticks
create or replace procedure imago.run_ticks(plan_name text, finalize boolean default false, inout answer jsonb default null)
language plpgsql
-- It commits, so it can have no settings of its own: the search_path is set in each transaction.
as $$
declare
  ends timestamptz;
begin
  loop
    perform pg_catalog.set_config('search_path', '', true);
    ends := coalesce(ends, clock_timestamp() + make_interval(secs => imago.tick_budget(plan_name) / 1000.0));
    answer := imago.tick(plan_name, finalize);
    commit;
    perform pg_catalog.set_config('search_path', '', true);
    exit when not imago.goes_on_at_once(answer)
      or clock_timestamp() + make_interval(secs => (answer ->> 'retry_after_ms')::integer / 1000.0) >= ends;
    perform pg_catalog.pg_sleep((answer ->> 'retry_after_ms')::integer / 1000.0);
    commit;
  end loop;
end
$$;
comment on procedure imago.run_ticks(text, boolean, inout jsonb) is 'What the pg_cron job of a plan calls: ticks, each a transaction of its own, for tick_ms. So it moves as many beside a living app, for which a tick is short.';

-- imago.sample_keys_text
create or replace function imago.sample_keys_text(keys text[], amount bigint)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when keys[1] is null then '' else format(' (%s%s)', array_to_string(keys[1:3], ', '), case when amount > 3 then ', …' end) end
$$;
comment on function imago.sample_keys_text(text[], bigint) is 'For plans: up to three keys in parentheses, for messages, behind a count.

Example: select ''12 bookings point at no row'' || imago.sample_keys_text(''{3,8,9,14}'', 12)';

-- imago.save_check
create or replace function imago.save_check(item imago.validation_check)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.validation_check i set
    done = item.done, cursor_key = item.cursor_key, size = item.size, piece_ms = item.piece_ms, in_pieces = item.in_pieces, checked = item.checked,
    total = item.total, found = item.found, remaining = item.remaining, fixed = item.fixed, fixes_failed = item.fixes_failed,
    written = item.written, deferrals = item.deferrals, fix_size = item.fix_size, keys = item.keys, findings = item.findings,
    facts = item.facts, error = item.error
  where i.validation = item.validation and i.plan_check = item.plan_check
$$;
comment on function imago.save_check(imago.validation_check) is 'Writes down how far a validation is with a check.';

-- imago.save_governor
create or replace function imago.save_governor(governor imago.governor)
returns imago.governor
language plpgsql
volatile
set search_path = ''
as $$
begin
  update imago.governor g set
    level = governor.level, share = governor.share, looked_at = governor.looked_at, lsn = governor.lsn, wal_room = governor.wal_room,
    entity_room = governor.entity_room, moved = governor.moved, held_since = governor.held_since, held_until = governor.held_until,
    released_at = governor.released_at, backoff_ms = governor.backoff_ms, fine_looks = governor.fine_looks, fine_since = governor.fine_since,
    usual_active = governor.usual_active, usual_entity_ms = governor.usual_entity_ms,
    checkpoints = governor.checkpoints, checkpoints_at = governor.checkpoints_at
  where g.plan = governor.plan;
  return governor;
end
$$;
comment on function imago.save_governor(imago.governor) is 'Writes what a look has decided, for all callers, and answers it.';

-- imago.save_lane
create or replace function imago.save_lane(lane imago.lane, plan_name text, total imago.moves)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update imago.lane l set
    cursor_key = lane.cursor_key, batch_size = lane.batch_size, processed = lane.processed, moved = l.moved + total.moved,
    failed = l.failed + total.failed, deferrals = lane.deferrals, done = lane.done,
    entity_ms = lane.entity_ms, entity_wal = lane.entity_wal, written = lane.written, updated_at = clock_timestamp()
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.number = lane.number;
  if total.outcome in ('timeout', 'deferred') then
    perform imago.write_log(plan_name, lane.run, 'warning', total.outcome,
      jsonb_build_object('lane', lane.number, 'pass', lane.pass, 'batch_size', lane.batch_size, 'deferrals', lane.deferrals)
        || imago.stage_label(lane.stage),
      null, coalesce(total.sqlstate, '57014'));
  end if;
end
$$;
comment on function imago.save_lane(imago.lane, text, imago.moves) is 'Notes how far a call has come with a lane, whose row the caller holds; what made it stop early is logged.';

-- imago.save_readings
create or replace function imago.save_readings(governor imago.governor, readings imago.reading[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  passed_ms bigint := case when governor.share = 0 then 1000 * extract(epoch from clock_timestamp() - governor.looked_at) else 0 end;
begin
  -- What a hold has cost is counted for its reasons, at the end of each piece of it.
  if passed_ms > 0 then
    update imago.reading r set held_ms = r.held_ms + passed_ms where r.plan = governor.plan and r.holds;
  end if;
  update imago.reading r set level = 0, value = null, capacity = null, sqlstate = null, slow_looks = 0, hold_looks = 0, since = null
  where r.plan = governor.plan and r.since is not null
    and not exists (select from unnest(readings) n where n.signal = r.signal and n.name = r.name and n.since is not null);
  insert into imago.reading as r (plan, signal, name, level, value, capacity, sqlstate, slow_looks, hold_looks, since)
  select n.plan, n.signal, n.name, n.level, n.value, n.capacity, n.sqlstate, n.slow_looks, n.hold_looks, n.since
  from unnest(readings) n where n.since is not null
  on conflict (plan, signal, name) do update set
    level = excluded.level, value = excluded.value, capacity = excluded.capacity, sqlstate = excluded.sqlstate,
    slow_looks = excluded.slow_looks, hold_looks = excluded.hold_looks, since = excluded.since;
  delete from imago.reading r where r.plan = governor.plan and r.since is null and r.held_ms = 0 and not r.holds;
end
$$;
comment on function imago.save_readings(imago.governor, imago.reading[]) is 'Notes what a look has found wrong, and what the hold that is on has cost so far. While all is fine it writes nothing.';

-- imago.schedule
create or replace function imago.schedule(plan_name text, every interval, finalize boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  wanted record;
  job text := imago.job_name(plan_name);
  problems jsonb;
begin
  if every is null then
    perform imago.raise_error('IM004', 'every');
  elsif finalize is null then
    perform imago.raise_error('IM004', 'finalize');
  end if;
  select i.label, i.schedule into wanted from imago.cron_intervals() i where i.every = schedule.every;
  if not found then
    perform imago.raise_error('IM033', every::text);
  end if;
  perform imago.expect_cron();
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);

  -- A tick that ends the run decides under this lock whether the job goes: not between our look at the run and our job.
  perform pg_advisory_xact_lock(imago.plan_lock_key(plan_name, 'schedule'));
  if not finalize then
    run := imago.unfinished_run(plan_name);
  elsif plan.closed_at is null then
    perform imago.expect_finalizable(plan, (imago.find_pending(plan, imago.call_deadline(2000))).pending);
  end if;
  if run.id is null and not finalize then
    -- In a job nobody would see what the preflight says.
    if not exists (select from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is not null) then
      select jsonb_agg(to_jsonb(p)) into problems from imago.preflight(plan) p;
      perform imago.expect_no_problems(plan_name, problems);
    end if;
    run := imago.forward_run(plan_name, null, null, null);
    if run.state = 'failed' then
      perform imago.raise_error('IM024', plan_name, plan_name);
    end if;
  end if;

  -- cron.schedule changes a job of the same name, but leaves it switched off.
  if not (imago.find_job(plan_name) ->> 'active')::boolean then
    perform cron.unschedule(job);
  end if;
  perform cron.schedule(job, wanted.schedule, format('call imago.run_ticks(%L%s)', plan_name, case when finalize then ', true' else '' end));
  perform imago.write_log(plan_name, run.id, 'info', 'scheduled', jsonb_build_object('job', job, 'every', wanted.label, 'finalize', finalize));
  return jsonb_build_object('plan', plan_name, 'job', job, 'scheduled', wanted.label, 'finalize', finalize,
    'run', run.id, 'direction', run.direction, 'state', run.state);
end
$$;
comment on function imago.schedule(text, interval, boolean) is 'Has pg_cron call imago.tick for a plan at an interval. Opens a forward run where none is unfinished, unless it is to finalize.';

-- imago.schedule_direct
create or replace function imago.schedule_direct(plan_name text, phase text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  step record;
  schedule text := imago.find_job(plan_name) ->> 'schedule';
  job jsonb := imago.find_job(plan_name, true);
  -- One that ends may be run again before the next tick removes the job: each try counts twice at worst.
  most_failures constant integer := 6;
begin
  select d.* into step from imago.direct_step(plan_name, phase) d;
  -- Whoever is building, this job or somebody else, is waited for.
  if not step.building then
    if step.invalid_index is not null then
      perform imago.drop_invalid_index(plan_name, phase);
    end if;
    if schedule is not null and step.statement is distinct from job ->> 'command' then
      perform imago.unschedule_direct(plan_name);
      perform cron.schedule(imago.job_name(plan_name, true), schedule, step.statement);
      perform imago.write_log(plan_name, null, 'info', 'direct', jsonb_build_object('step', step.name, 'statement', step.statement));
    elsif most_failures <= (
      select count(*) from cron.job_run_details d where d.jobid = (job ->> 'jobid')::bigint and d.status = 'failed'
    ) then
      perform imago.raise_error('IM056', step.name, plan_name, job ->> 'jobid');
    end if;
  end if;
  return jsonb_build_object('plan', plan_name, 'status', 'direct', 'step', step.name);
end
$$;
comment on function imago.schedule_direct(text, text) is 'Has pg_cron run the statement of the direct step that a phase has come to, as a job of its own. A job''s command is in no transaction. Ticks ask the step until it is done. IM056 when the statement keeps failing.';

-- imago.scheduled
create or replace function imago.scheduled(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce((select i.label from imago.cron_intervals() i where i.schedule = j.job ->> 'schedule'), j.job ->> 'schedule')
  from (select imago.find_job(plan_name) as job) j
  where (j.job ->> 'active')::boolean
$$;
comment on function imago.scheduled(text) is 'How often pg_cron drives a plan, such as 10 seconds; null when it does not.';

-- imago.schema_moves
create or replace function imago.schema_moves(plan_name text)
returns table (relation text, name text, number integer, kind text, becomes text, was text)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  with noted as (
    select d.*, d.noted_in = 'imago.declared'::pg_catalog.regclass as by_number
    from imago.declared d where d.plan = plan_name
  ), tables as (
    select n.relation, c.oid, quote_ident(s.nspname) || '.' || quote_ident(c.relname) as is_now,
      n.by_number, pg_catalog.to_regclass(n.relation)::oid as of_that_name
    from noted n
    -- After a restore from a dump numbers are others, and names count.
    left join pg_catalog.pg_class c on c.oid = case when n.by_number then n.relation_id else pg_catalog.to_regclass(n.relation)::oid end
    left join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    where n.number = 0
  ), columns as (
    select n.relation, n.name, n.number, n.type, n.labels, a.attname, n.by_number,
      pg_catalog.format_type(a.atttypid, a.atttypmod) as type_now, a.atttypid
    from noted n
    join tables t on t.relation = n.relation and t.oid is not null
    left join pg_catalog.pg_attribute a on a.attrelid = t.oid and not a.attisdropped
      and case when n.by_number then a.attnum = n.number else a.attname = n.name and a.attnum > 0 end
    where n.number > 0
  )
  select t.relation, null, 0,
    case when t.oid is null and t.of_that_name is not null then 'replaced' when t.oid is null then 'dropped'
      when t.of_that_name is not null and t.of_that_name <> t.oid then 'replaced' else 'renamed' end, t.is_now, null::text
  from tables t where t.oid is null or t.of_that_name is distinct from t.oid
  union all
  select c.relation, c.name, c.number, 'dropped', null, c.type from columns c where c.attname is null
  union all
  select c.relation, c.name, c.number, 'renamed', c.attname, null from columns c where c.attname <> c.name
  union all
  select c.relation, c.name, c.number, 'retyped', c.type_now, c.type
  from columns c
  where c.type_now <> c.type
     -- No label leaves an enum: the type is another one of the same name.
     or c.by_number and c.labels is not null and exists (
       select from jsonb_object_keys(c.labels) l(id)
       where not exists (select from pg_catalog.pg_enum e where e.enumtypid = imago.enum_behind(c.atttypid) and e.oid = l.id::oid))
  union all
  select c.relation, c.name, c.number, 'label', e.enumlabel, l.value
  from columns c cross join lateral jsonb_each_text(c.labels) l
  join pg_catalog.pg_enum e on e.enumtypid = imago.enum_behind(c.atttypid) and e.oid = l.key::oid and e.enumlabel <> l.value
  where c.by_number
  union all
  select t.relation, a.attname, a.attnum::integer, 'added', null, null
  from tables t
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where not exists (
    select from columns c where c.relation = t.relation and case when c.by_number then c.number = a.attnum else c.name = a.attname end);
end
$$;
comment on function imago.schema_moves(text) is 'What has become of the tables of a plan since prepare. Tables and columns were dropped, replaced, renamed, retyped or added, and labels of enums renamed; becomes: the new name or type.';

-- imago.schema_remedy
create or replace function imago.schema_remedy(schema oid, rights text)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when pg_catalog.pg_has_role(n.nspowner, 'usage') or (
        select bool_and(pg_catalog.has_schema_privilege(n.oid, trim(r) || ' with grant option')) from unnest(string_to_array(rights, ',')) r)
      then format('grant %s on schema %I to %I;', rights, n.nspname, current_user)
    else imago.owner_remedy(n.nspowner) end
  from pg_catalog.pg_namespace n where n.oid = schema_remedy.schema
$$;
comment on function imago.schema_remedy(oid, text) is 'What to do where the current user lacks rights on a schema: grant them, where it may, else as owner_remedy. Several are separated by commas.';

-- imago.sequence_findings
create or replace function imago.sequence_findings(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', s.object,
    'message', format('its sequence %s gives %s next, and the largest value is %s', s.sequence, s.next_value, s.largest),
    'hint', s.statement)), '[]')
  from imago.lagging_sequences(plan) s
$$;
comment on function imago.sequence_findings(imago.plan) is 'Sequences that lag behind copied values, as findings of a check; the hint is the statement that sets one right.';

-- imago.server_statistics
create or replace function imago.server_statistics()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'database_connections', d.numbackends,
    'max_connections', current_setting('max_connections')::integer,
    'cache_hit_ratio', round(d.blks_hit::numeric / nullif(d.blks_hit + d.blks_read, 0), 4))
  from pg_catalog.pg_stat_database d where d.datname = pg_catalog.current_database()
$$;
comment on function imago.server_statistics() is 'Connections and cache hits of the database.';

-- imago.set_aside
create or replace function imago.set_aside(
  run imago.run,
  entity text,
  kind text,
  sqlstate text default null,
  constraint_name text default null,
  table_name text default null,
  column_name text default null,
  reason text default null,
  stage integer default 1,
  raised_by text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
-- The columns that on conflict infers its index by cannot be qualified.
#variable_conflict use_column
begin
  insert into imago.failure as f (plan, run, stage, entity, kind, direction, sqlstate, constraint_name, table_name, column_name, reason, raised_by)
  values (run.plan, run.id, set_aside.stage, entity, kind, run.direction, sqlstate,
          nullif(constraint_name, ''), nullif(table_name, ''), nullif(column_name, ''), reason, set_aside.raised_by)
  on conflict (plan, stage, entity, direction) where kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held')
  do update set
    run = excluded.run, kind = excluded.kind, sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name,
    table_name = excluded.table_name, column_name = excluded.column_name, reason = excluded.reason, raised_by = excluded.raised_by, created_at = clock_timestamp();
  perform imago.write_log(
    run.plan, run.id, case kind when 'held' then 'info' when 'deferred' then 'warning' else 'error' end, kind,
    jsonb_strip_nulls(jsonb_build_object('constraint', nullif(constraint_name, ''), 'table', nullif(table_name, ''),
                                         'column', nullif(column_name, ''), 'reason', reason, 'raised_by', set_aside.raised_by)) || imago.stage_label(set_aside.stage),
    entity, sqlstate);
end
$$;
comment on function imago.set_aside(imago.run, text, text, text, text, text, text, text, integer, text) is 'Records an entity that could not be moved, or must not be, and logs it.';

-- imago.set_aside_keys
create or replace function imago.set_aside_keys(plan text, direction text, passing_too boolean default true, stage integer default 1)
returns setof text
language sql
stable
set search_path = ''
as $$
  select f.entity from imago.failure f
  where f.plan = set_aside_keys.plan
    and f.direction = set_aside_keys.direction
    and f.stage = set_aside_keys.stage
    and f.entity is not null
    and (passing_too or f.kind not in ('deferred', 'unreachable') and f.reason_kind is distinct from 'referenced')
$$;
comment on function imago.set_aside_keys(text, text, boolean, integer) is 'Entities of a stage that batches of this direction leave alone. Those whose reason may have passed (a lock, a reference by an entity that has gone back since, a row of the source that was missing) only if passing_too.';

-- imago.set_hours
create or replace function imago.set_hours(throttle imago.throttle, hours text)
returns imago.throttle
language plpgsql
stable
set search_path = ''
as $$
declare
  parts text[] := regexp_match(hours, '^\s*((?:[01]?\d|2[0-3]):[0-5]\d)\s*-\s*((?:[01]?\d|2[0-3]):[0-5]\d|24:00)(?:\s+(\S+))?\s*$');
begin
  if hours is null then
    return throttle;
  end if;
  if hours <> '' and (parts is null or parts[1]::time = parts[2]::time
     or not exists (select from pg_catalog.pg_timezone_names z where z.name = coalesce(parts[3], 'UTC'))) then
    perform imago.raise_error('IM015', 'hours', left(hours, 60), '22:00-06:00, or 22:00-06:00 Europe/Berlin; an empty text for any time');
  end if;
  throttle.hours_from := parts[1];
  throttle.hours_to := parts[2];
  throttle.time_zone := case when hours <> '' then coalesce(parts[3], 'UTC') end;
  return throttle;
end
$$;
comment on function imago.set_hours(imago.throttle, text) is 'Reads hours as 22:00-06:00 Europe/Berlin; null leaves them, an empty text takes them back (IM015).';

-- imago.set_unreachable_aside
create or replace function imago.set_unreachable_aside(run imago.run, plan imago.plan, keys text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities text[];
begin
  if run.direction <> 'forward' or keys = '{}' then
    return 0;
  end if;
  entities := imago.unreachable_keys(plan, array_remove(keys, null));
  return case when entities = '{}' then 0 else imago.note_unreachable(run, plan, entities) end
    + case when array_position(keys, null) is null then 0 else imago.note_unreachable(run, plan, array[null::text]) end;
end
$$;
comment on function imago.set_unreachable_aside(imago.run, imago.plan, text[]) is 'Sets aside those of the keys that are pending in a stage and not in its source, and null; says how many are new.';

-- imago.setting_number
create or replace function imago.setting_number(name text)
returns integer
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select s.value::integer from imago.setting s where s.name = setting_number.name);
end
$$;
comment on function imago.setting_number(text) is 'For plans: a setting of imago.setting as a number.

Example: select imago.setting_number(''direct_mb'')';

-- imago.setting_size
create or replace function imago.setting_size(name text)
returns numeric
language sql
stable
set search_path = ''
as $$
  select nullif(s.value, '')::numeric from imago.setting s where s.name = setting_size.name
$$;
comment on function imago.setting_size(text) is 'A setting that may be left empty, as a number; null where it is.';

-- imago.should_walk_by_block
create or replace function imago.should_walk_by_block(run imago.run, plan imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- A ctid says where a row lies within one heap only.
  select imago.plan_bytes(plan) >= imago.setting_number('block_walk_percent') / 100.0 * pg_catalog.pg_size_bytes(current_setting('shared_buffers'))
    and exists (
      select from imago.walked_rows(run, plan) w
      join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(format('%I.%I', w.relation_schema, w.relation_name)) and c.relkind = 'r'
      join pg_catalog.pg_stats s on s.schemaname = w.relation_schema and s.tablename = w.relation_name and s.attname = w.key_column and not s.inherited
      where abs(s.correlation) < 0.5 and not exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid))
$$;
comment on function imago.should_walk_by_block(imago.run, imago.plan) is 'Whether the main pass of a stage goes in the order in which rows lie on disk. So for tables too large for the server''s buffers, whose keys (random uuids) have nothing to do with it, where each batch in key order would touch blocks all over them.';

-- imago.show_as
create or replace function imago.show_as(relation text, source text, link jsonb, origins jsonb default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  shown pg_catalog.pg_class;
  hidden pg_catalog.pg_class;
  reader record;
begin
  perform imago.close_table(relation);
  select c.* into strict shown from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass;
  select c.* into strict hidden from pg_catalog.pg_class c where c.oid = source::pg_catalog.regclass;
  -- Where nobody but the owner has a right on the source, nobody gets one here, and there is nothing to tell apart by row.
  if not shown.relrowsecurity and not hidden.relrowsecurity and not exists (select from imago.grantees(source)) then
    return;
  end if;

  execute format('alter table %s enable row level security', relation);
  -- An owner who does not bypass row level security could not fill it.
  if hidden.relforcerowsecurity and exists (
    select from pg_catalog.pg_roles r where r.oid = shown.relowner and (r.rolbypassrls or r.rolsuper)) then
    execute format('alter table %s force row level security', relation);
  end if;
  -- The policy is evaluated with the rights of who reads, so the policies of the source hold, and its grants.
  if exists (select from pg_catalog.pg_policy p where p.polrelid = relation::pg_catalog.regclass and p.polname = imago.source_policy()) then
    execute format('drop policy %I on %s', imago.source_policy(), relation);
  end if;
  execute format(
    'create policy %I on %s for select using ((select not pg_catalog.row_security_active(%L::pg_catalog.regclass))%s)',
    imago.source_policy(), relation, source,
    case when link <> '{}' then format(' or exists (select from %s s where %s)', source, (
      select string_agg(format('s.%I = %s.%I', l.value, relation, l.key), ' and ') from jsonb_each_text(link) l)) end);
  execute format('comment on policy %I on %s is %L', imago.source_policy(), relation,
    format('Made by Imago: a row is visible to whom its row of %s is.', source));

  for reader in select g.* from imago.grantees(source) g loop
    if reader.reads_all then
      execute format('grant select on table %s to %s', relation, reader.role);
    elsif imago.shown_columns(relation, source, link, origins, reader.role) <> '{}' then
      execute format('grant select (%s) on table %s to %s', (
        select string_agg(quote_ident(c), ', ') from unnest(imago.shown_columns(relation, source, link, origins, reader.role)) c),
        relation, reader.role);
    end if;
    -- Others could not write without a policy, and that is the app's to make.
    if reader.bypasses and reader.writes <> '{}' then
      execute format('grant %s on table %s to %s', array_to_string(reader.writes, ', '), relation, reader.role);
    end if;
  end loop;
end
$$;
comment on function imago.show_as(text, text, jsonb, jsonb) is 'For plans: shows a table that a step has just made as its source is shown, and to nobody else. Row by row: link says which of its columns equal which of the source, {} where its rows belong to no row of the source; then it is for whom the source shows all rows. Column by column: origins says from which columns of the source a column has its values; one that is not named is shown with the link. Who may not read the columns of the link reads nothing. Who bypasses row level security keeps their rights to write; nobody else gets any. The policy follows what becomes of the source''s policies; grants are those of this moment.

Example: select imago.show_as(''public.avatars'', ''public.users'', ''{"owner_user_id": "id"}'', ''{"name": ["display_name", "username"], "bio": ["bio"]}'')';

-- imago.shown_columns
create or replace function imago.shown_columns(relation text, source text, link jsonb, origins jsonb, role text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(c.name order by c.name), '{}')
  from (
    select a.attname::text as name from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
    union
    -- It has yet to be made.
    select k from jsonb_object_keys(link || origins) k where pg_catalog.to_regclass(relation) is null
    union
    select '*' where pg_catalog.to_regclass(relation) is null and link = '{}'
  ) c
  -- Without the columns of the link the policy cannot look.
  where case when link = '{}' then pg_catalog.has_table_privilege((parse_ident(role))[1], pg_catalog.to_regclass(source), 'select')
    else not exists (
      select from jsonb_array_elements_text(coalesce(origins -> c.name, '[]') || (select jsonb_agg(l.value) from jsonb_each(link) l)) o(name)
      where not pg_catalog.has_column_privilege((parse_ident(role))[1], pg_catalog.to_regclass(source), o.name, 'select')) end
$$;
comment on function imago.shown_columns(text, text, jsonb, jsonb, text) is 'Columns of a table that a role may read: those whose values come from columns of the source that it may read.';

-- imago.shown_rows
create or replace function imago.shown_rows(relation text, role text)
returns text[]
language sql
stable
set search_path = ''
as $$
  -- The condition true is known by its tree: to have it written out would wait for the table.
  select case
    when not c.relrowsecurity or coalesce(r.rolbypassrls or r.rolsuper, false) then null
    when coalesce(bool_or(p.polpermissive and p.polqual::text ~ '^\{CONST :consttype 16 .*:constvalue 1 \[ 1 '), false)
      and coalesce(bool_and(p.polpermissive), true) then null
    when not coalesce(bool_or(p.polpermissive), false) then '{}'
    else array_agg(p.polname::text order by p.polname) end
  from pg_catalog.pg_class c
  left join pg_catalog.pg_roles r on r.rolname = (parse_ident(role))[1]
  left join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd in ('r', '*')
    and exists (
      select from unnest(p.polroles) o(id)
      where o.id = 0 or r.oid is not null and pg_catalog.pg_has_role(r.oid, o.id, 'usage'))
  where c.oid = pg_catalog.to_regclass(relation)
  group by c.relrowsecurity, r.rolbypassrls, r.rolsuper
$$;
comment on function imago.shown_rows(text, text) is 'Which rows of a table a role may read. Null: all of them; {}: none; otherwise the names of the policies that decide.';

-- imago.side_changed
create or replace function imago.side_changed(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- By image where values that are equal may differ, or have no equality; comparing whole rows would take longer than all the rest.
  select string_agg(
    case
      when c.comparable then format('o.%1$I is distinct from n.%1$I', c.name)
      when c.kept = 'text' then format('o.%1$I::text collate "C" is distinct from n.%1$I::text collate "C"', c.name)
      else format('pg_catalog.record_image_ne(row(o.%1$I), row(n.%1$I))', c.name)
    end, ' or ' order by c.comparable desc, c.ordinal)
  from imago.journal_columns(write.relation, imago.side_columns(write)) c
$$;
comment on function imago.side_changed(imago.plan_write) is 'SQL: whether a column that the plan does not declare differs between the old and the new row.';

-- imago.side_columns
create or replace function imago.side_columns(write imago.plan_write)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(array_agg(c order by n), '{}')
    from unnest(imago.stored_columns(write.relation)) with ordinality s(c, n)
    where c <> all (write.columns || write.key_columns) and c is distinct from write.entity_column);
end
$$;
comment on function imago.side_columns(imago.plan_write) is 'Columns of a declared relation that the plan does not write. What triggers of the app change in them is journaled beside.';

-- imago.side_journals
create or replace function imago.side_journals(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(format(
      'select j.batch, j.side -> s.key ->> 1 as became from imago_undo.%I j
       where j.entity = %s and %s and j.op = ''u'' and j.batch <> $1 and j.side ? s.key',
      o.undo_table, imago.owner_sql(o, 't'),
      imago.each_column('j.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and ')), ' union all ')
  from imago.plan_write o
  where pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(write.relation) and o.undo_table is not null
$$;
comment on function imago.side_journals(imago.plan_write) is 'SQL: what batches of any plan have left in column s.key of row u (t in its table), by batch other than $1. For read_nested.';

-- imago.side_values
create or replace function imago.side_values(write imago.plan_write, template text, separator text default ', ')
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select string_agg(format(template, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), c.n, imago.quoted_name(a.attname)), separator order by c.n)
    from unnest(imago.side_columns(write)) with ordinality c(name, n)
    join pg_catalog.pg_attribute a on a.attrelid = write.relation::pg_catalog.regclass and a.attname = c.name);
end
$$;
comment on function imago.side_values(imago.plan_write, text, text) is 'Writes a template once for each column that the plan does not declare. %1 name, %2 type, %3 position, %4 the name as PL/pgSQL reads it.';

-- imago.signal_statistics
create or replace function imago.signal_statistics(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with signals as (
    select s.name, coalesce(sum(r.held_ms), 0) as waited_ms, coalesce(max(r.level), 0) as level
    from imago.signal s left join imago.reading r on r.signal = s.name and r.plan = run.plan
    group by s.name
  )
  select jsonb_build_object(
    'waited_ms_by_signal', jsonb_object_agg(s.name, s.waited_ms),
    -- Nobody looks between runs.
    'level_by_signal', coalesce(jsonb_object_agg(s.name, s.level) filter (where run.state = 'running'), '{}'))
  from signals s
$$;
comment on function imago.signal_statistics(imago.run) is 'How long each signal of the governor has held the runs of a plan, and, while one is running, what it counts as now.';

-- imago.size_after_timeout
create or replace function imago.size_after_timeout(size integer)
returns integer
language sql
immutable
set search_path = ''
as $$
  select greatest(1, size / 4)
$$;
comment on function imago.size_after_timeout(integer) is 'Rows or entities of the next try of what ran into the statement timeout: a quarter, at least one.';

-- imago.sort_error
create or replace function imago.sort_error(error imago.attempt, detail text, context text, plan text)
returns imago.attempt
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, error.sqlstate, plan);
begin
  error.raised_by := coalesce(raiser.raised_by, case error.sqlstate when '0A000' then (
    -- PostgreSQL does not say which rule keeps our statements from being done.
    select string_agg(p.object, ', ') from imago.capture_problems(plan) p where p.kind = 'rule') end);
  error.by_app := raiser.by_app;
  error.outcome := case
    when raiser.by_engine and error.sqlstate = 'IM060' then 'stop'
    -- Whoever says so asks for another try.
    when error.sqlstate ~ '^40[^I]' or error.sqlstate in ('55P03', '55006') then 'blocked'
    when raiser.by_app then 'bad'
    when error.sqlstate = '57014' then 'timeout'
    when left(error.sqlstate, 2) = '40' then 'blocked'
    when left(error.sqlstate, 2) in ('42', '53', '55', '58', 'XX') then 'stop'
    else 'bad'
  end;
  if error.sqlstate = 'IM060' and raiser.by_engine then
    error.error_code := error.sqlstate;
    error.error_detail := array(select d from jsonb_array_elements_text(detail::jsonb) d);
  elsif error.outcome = 'stop' then
    error.error_code := 'IM021';
    error.error_detail := array[error.sqlstate, coalesce(' It came from ' || error.raised_by || '.', '')];
  elsif raiser.by_engine and error.sqlstate in ('IM010', 'IM026', 'IM061', 'IM068') then
    select array_agg(k) into error.bad_keys from jsonb_array_elements_text(detail::jsonb) k;
  end if;
  return error;
end
$$;
comment on function imago.sort_error(imago.attempt, text, text, text) is 'What follows from an error of a sub-batch, by its SQLSTATE and by who raised it. What the app''s code raises is the fault of its entity, whatever it is; only what ours raises stops a run. Codes of Imago are its own, and their details read, only where its functions raised them.';

-- imago.source_policy
create or replace function imago.source_policy()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'as visible as its source'
$$;
comment on function imago.source_policy() is 'For plans: the name of the policy that show_as makes.

Example: select imago.source_policy()';

-- imago.source_rows
create or replace function imago.source_rows(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  select sum(imago.estimated_rows(s.source))::bigint from imago.plan_stages(source_rows.plan) s
$$;
comment on function imago.source_rows(imago.plan) is 'Rows that a run of the plan walks, of all its stages, by the statistics of the tables.';

-- imago.sqlstate_text
create or replace function imago.sqlstate_text(sqlstate text, raised_by text)
returns text
language sql
immutable
set search_path = ''
as $$
  select concat_ws(' in ', sqlstate_text.sqlstate, raised_by)
$$;
comment on function imago.sqlstate_text(text, text) is 'A SQLSTATE for messages, and who raised it where that is known.';

-- imago.stage_figures
create or replace function imago.stage_figures(plan imago.plan, exactly boolean default false)
returns table (stage integer, total bigint, migrated bigint, pending bigint, is_estimate boolean, error jsonb)
language plpgsql
stable
set search_path = ''
as $$
declare
  -- A run that fixes findings moves nobody.
  run constant imago.run := imago.last_moving_run(plan.name);
  -- Before the first run, and after everything went back: what is not pending then does not concern the plan.
  is_unmoved constant boolean := plan.closed_at is null and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded');
  estimated constant boolean := not exactly and imago.is_estimated(plan);
  staged imago.plan;
  is_prepared boolean;
  source_rows bigint;
  hint text;
begin
  for staged in select s.* from imago.plan_stages(plan) s order by s.stage loop
    stage := staged.stage;
    is_prepared := pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is not null;
    -- Whom the plan concerns is known when prepare has made its views.
    is_estimate := estimated or plan.closed_at is null and not is_prepared;
    total := null;
    error := null;
    begin
      select c.total, c.source_rows into total, source_rows from imago.count_source(staged, estimated) c;
      pending := case when plan.closed_at is not null then 0 when not is_prepared then total when not estimated then imago.count_stage(staged) end;
    exception when sqlstate 'IM071' then
      if exactly then
        raise;
      end if;
      -- Who looks how far a run is has to see it all the same, and what is in the way.
      get stacked diagnostics hint = pg_exception_hint;
      error := jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'hint', hint);
      is_estimate := true;
      source_rows := imago.estimated_rows(staged.source);
      total := coalesce(total, source_rows);
      pending := null;
    end;
    if pending is null then
      select e.total, e.total - e.migrated into total, pending from imago.estimate_figures(run, staged, total, source_rows) e;
    end if;
    if is_unmoved then
      total := case when is_estimate then total else pending end;
      pending := total;
    end if;
    total := greatest(total, pending);
    migrated := total - pending;
    return next;
  end loop;
end
$$;
comment on function imago.stage_figures(imago.plan, boolean) is 'Entities that each stage of a plan concerns: how many, migrated and pending. The one definition of these figures. Estimated above about 100,000 rows unless they are wanted exactly, and where they cannot be counted (error); before the plan is prepared, all rows of its tables.';

-- imago.stage_label
create or replace function imago.stage_label(stage integer)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select case when stage = 1 then '{}' else jsonb_build_object('stage', stage) end
$$;
comment on function imago.stage_label(integer) is 'What a line of the log says about the stage: nothing for the first, which most plans have alone.';

-- imago.stage_reports
create or replace function imago.stage_reports(plan imago.plan, tried jsonb, pending jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_agg(jsonb_build_object(
      'stage', t.stage, 'object', s.source, 'entity_singular', w.singular, 'entity_plural', w.plural,
      'outcome', o.outcome,
      'reason', case
        when o.outcome in ('complete', 'nothing_pending') then null
        when t.unsure > 0 then 'earlier_stage'
        when t.reason = 'complete' then 'locked'
        else t.reason end,
      'pending', p.pending, 'pending_is_estimate', p.is_estimate,
      'tried', t.moved + t.failed, 'moved', t.moved, 'failed', t.failed, 'locked', t.locked, 'unsure', t.unsure,
      'per_second', case when o.is_measured then round(t.moved * 1000 / greatest(1, t.ms)) end,
      'seconds', case
        when o.is_measured then ceil(o.total * t.ms / 1000 / t.moved)
        when o.outcome in ('complete', 'nothing_pending') then 0 end,
      'rows', (
        select coalesce(jsonb_object_agg(r.key, round(r.value::numeric * o.total / t.moved)), '{}')
        from jsonb_each_text(t.rows) r where o.is_measured)) order by t.stage)
  from jsonb_to_recordset(tried) t(stage integer, reason text, moved bigint, failed bigint, locked bigint, unsure bigint, ms numeric, rows jsonb)
  cross join lateral jsonb_to_record(pending -> t.stage::text) p(pending bigint, is_estimate boolean)
  cross join lateral imago.plan_at_stage(plan, t.stage) s
  cross join lateral imago.entity_words(s) w
  cross join lateral (
    -- An earlier stage may add to what is pending in a later one. Those who fail for want of it would say nothing of the time.
    select greatest(p.pending, t.moved + t.failed) as total, t.moved > 0 and t.unsure = 0 as is_measured, case
      when t.moved + t.failed + t.locked + t.unsure = 0 and p.pending = 0 then 'nothing_pending'
      when (t.reason = 'complete' or t.moved + t.failed >= p.pending and not p.is_estimate) and t.locked + t.unsure = 0 then 'complete'
      when t.moved + t.failed > 0 then 'part'
      else 'not_tried' end as outcome
  ) o
$$;
comment on function imago.stage_reports(imago.plan, jsonb, jsonb) is 'What a dry run says of each stage. What is pending, what of it was tried and what became of it, why not all was, how long all would take.';

-- imago.stage_writes
create or replace function imago.stage_writes(plan imago.plan)
returns setof imago.plan_write
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return query
    select w.* from imago.plan_write w
    where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null order by w.position;
end
$$;
comment on function imago.stage_writes(imago.plan) is 'The journaled writes of a stage, in their order.';

-- imago.stands_still
create or replace function imago.stands_still(run imago.run)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen constant text := imago.run_mark(run);
  last imago.standstill;
begin
  -- Others who see the same at the same time count it.
  select s.* into last from imago.standstill s where s.run = stands_still.run.id for update skip locked;
  last.calls := case last.mark when seen then last.calls + 1 else 1 end;
  if last.run is not null then
    update imago.standstill s set mark = seen, calls = last.calls where s.run = last.run;
  else
    insert into imago.standstill (run, mark, calls) values (run.id, seen, 1) on conflict do nothing;
  end if;
  return last.calls >= imago.setting_number('idle_calls');
exception when lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.stands_still(imago.run) is 'Counts a call that moved nobody, and says whether too many in a row have left the run as it was.';

-- imago.standstill_text
create or replace function imago.standstill_text(run imago.run, plan imago.plan)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  remaining record;
  lanes text;
begin
  select string_agg(format('lane %s of the %s pass', l.number, l.pass), ', ' order by l.pass desc, l.number) into lanes
  from (select l.* from imago.lane l where l.run = standstill_text.run.id and not l.done limit 3) l;
  if lanes is not null then
    return lanes || ' unfinished';
  end if;
  select f.* into remaining from imago.find_remaining(run, plan, 1000) f;
  if remaining.keys <> '{}' then
    return format('%s%s still %s%s', imago.counted(plan, cardinality(remaining.keys)), case remaining.outcome when 'incomplete' then ' or more' else '' end,
      case run.direction when 'forward' then 'pending' else 'in the journal' end,
      imago.sample_keys_text(remaining.keys, cardinality(remaining.keys)));
  end if;
  return coalesce((
    select 'check ' || c.name || ' unfinished'
    from imago.validation v
    join imago.validation_check i on i.validation = v.id and not i.done
    join imago.plan_check c on c.id = i.plan_check
    where v.run = standstill_text.run.id
    order by v.id desc, i.position limit 1), 'nothing pending, and no end');
end
$$;
comment on function imago.standstill_text(imago.run, imago.plan) is 'What is to be seen of a run that does not get on. That is: unfinished lanes, up to three keys that are left, or the check that does not end.';

-- imago.start_rollback
create or replace function imago.start_rollback(plan_name text, force boolean, caused_by bigint default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan_name);
  seen imago.run := imago.last_run(plan_name);
  last imago.run;
  started imago.run;
begin
  perform imago.expect_not_finalized(plan_name, 'rollback');
  perform imago.expect_journal(plan_name);
  if run.id is null or run.direction = 'forward' then
    -- One caller at a time turns round; whoever waited for that, or for all of the rollback, is no caller for another one.
    last := imago.lock_last_run(plan_name);
    if caused_by is null and last.direction = 'rollback' and last.state in ('succeeded', 'failed')
       and (last.id <> seen.id or last.finished_at > statement_timestamp()) then
      return last;
    end if;
    run := imago.unfinished_run(plan_name);
    if run.direction = 'forward' then
      perform imago.transition_run(run.id, 'supersede', 'rollback');
      run := null;
    end if;
  end if;
  if run.id is null then
    delete from imago.failure f where f.plan = plan_name and f.direction = 'rollback' and f.kind not in ('held', 'forgotten');
    run := imago.open_run(plan_name, 'rollback', force => coalesce(force, false), caused_by => caused_by);
  elsif run.force <> force then
    perform imago.raise_error('IM007', run.id::text, plan_name, 'force', run.force::text, force::text);
  end if;
  if run.state = 'pending' then
    perform imago.analyze_journal(plan_name);
    perform imago.start_run(run.id);
    select r.* into started from imago.run r where r.id = run.id;
    return started;
  end if;
  return run;
end
$$;
comment on function imago.start_rollback(text, boolean, bigint) is 'The rollback run of a plan: the unfinished one, or a new one that takes over from the forward run.';

-- imago.start_run
create or replace function imago.start_run(run_id bigint, size integer default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  plan imago.plan;
begin
  if run.state not in ('pending', 'running') or exists (select from imago.lane l where l.run = run_id) then
    return run.state;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  perform imago.give_app_path(run.plan);
  perform imago.cut_lanes(run, imago.next_stage(run, plan), size);
  insert into imago.run_stage (run, stage, total, source_rows)
  select run_id, s.stage, c.total, c.source_rows
  from imago.plan_stages(plan) s cross join lateral imago.count_source(s, imago.is_estimated(plan)) c;
  update imago.run r set total = (select sum(s.total) from imago.run_stage s where s.run = run_id) where r.id = run_id;
  insert into imago.health (run) values (run_id);
  -- What is usual is measured anew for each run.
  insert into imago.governor as g (plan) values (run.plan)
  on conflict on constraint governor_pkey do update set usual_active = null, usual_entity_ms = null, moved = null, entity_room = null;
  -- Paused before it began, and resumed, a run is running already.
  return case run.state when 'pending' then imago.transition_run(run_id, 'start') else run.state end;
end
$$;
comment on function imago.start_run(bigint, integer) is 'Cuts the first lanes of a run that has not begun and starts it. Others that come at the same time wait and find it started.';

-- imago.statistics
create or replace function imago.statistics(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  entities record;
  own_function text;
begin
  perform imago.expect_source(plan);
  select sum(s.total) as total, sum(s.migrated)::bigint as migrated, sum(s.pending)::bigint as pending into entities
  from imago.stage_figures(plan, true) s;
  own_function := format('%I.statistics()', plan.name);
  return imago.ask_plan(plan.name, 'function ' || own_function, 'select ' || own_function) || imago.guide_names(imago.plan_words(plan) || jsonb_build_object(
    'plan', plan.name, 'total', entities.total, 'migrated', entities.migrated, 'pending', entities.pending,
    'percentage', imago.percentage(entities.migrated, entities.pending), 'total_is_estimate', false), 'users_needing_migration');
end
$$;
comment on function imago.statistics(text) is 'Exact counts of a plan''s entities, with what the plan adds to them.';

-- imago.still_to_move
create or replace function imago.still_to_move(plan imago.plan, fixed imago.plan_check, entities text[], out keys text[], out amount bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  if fixed.id is null then
    keys := imago.pending_keys(plan, entities);
    amount := cardinality(keys);
  else
    perform set_config('search_path', imago.app_search_path(), true);
    execute format(
      'select coalesce(array_agg(distinct f.entity::text), ''{}''), count(*) from (%s) f where f.entity = any ($1::%s[])',
      imago.check_sql(fixed), plan.key_type)
    into keys, amount using entities;
  end if;
end
$$;
comment on function imago.still_to_move(imago.plan, imago.plan_check, text[], out text[], out bigint) is 'Those of the entities that are pending or, for a fix, that its check finds; and how many, or how much it finds.';

-- imago.stop_run
create or replace function imago.stop_run(run imago.run, code text, detail text[] default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  if code = 'IM020' then
    detail := array[imago.count_failed(run.id)::text, imago.allowed_failures(run)::text, coalesce((
      select format(' Most frequent, %s times: SQLSTATE %s.', count(*), imago.sqlstate_text(f.sqlstate, f.raised_by))
      from imago.failure f
      where f.run = stop_run.run.id and f.kind in ('failed', 'too_large') and f.sqlstate is not null
      group by f.sqlstate, f.raised_by
      order by count(*) desc, f.sqlstate, f.raised_by
      limit 1), '')];
  end if;
  -- The functions of a plan do not follow: they name things as its author wrote them.
  if code = 'IM021' and detail[1] in ('42703', '42P01', '3F000') and imago.renames(run.plan) is not null then
    code := 'IM070';
    detail := array[run.plan, imago.renames(run.plan)] || detail;
  end if;
  begin
    perform imago.transition_run(run.id, 'fail',
      case code when 'IM020' then format('%s of %s allowed failures', variadic detail) else array_to_string(detail, ', ') end, code, detail);
    if run.on_failure = 'rollback' and run.direction = 'forward' then
      perform imago.start_rollback(run.plan, false, run.id);
    end if;
  exception when sqlstate 'IM016' or sqlstate 'IM008' then
    -- Another worker holds or has already stopped the run; it has seen the same.
    return 'busy';
  end;
  return 'failed';
end
$$;
comment on function imago.stop_run(imago.run, text, text[]) is 'Stops a run as failed, with an error and its values, and opens its rollback where the run asks for it.';

-- imago.stored_columns
create or replace function imago.stored_columns(relation text)
returns text[]
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select array_agg(a.attname::text order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = relation::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '');
end
$$;
comment on function imago.stored_columns(text) is 'Columns that hold data of their own: all but generated ones.';

-- imago.sub_batch_cost_ms
create or replace function imago.sub_batch_cost_ms()
returns numeric
language sql
immutable
set search_path = ''
return 8;
comment on function imago.sub_batch_cost_ms() is 'What a sub-batch takes at any size, in milliseconds, so that sizes fit the time of short calls. Measured: 7 to 10.';

-- imago.sync_body
create or replace function imago.sync_body(sync imago.plan_sync, plan imago.plan, ending text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities constant text :=
    'select coalesce(array_agg(distinct k), ''{}'') from (
       select n.%1$I::text as k from new_rows n union all select o.%1$I::text from old_rows o) named where k is not null';
  looks text := '';
  calls text := '';
  event text;
  follow text := '';
  query text;
begin
  foreach event in array sync.events loop
    looks := looks || format(' when %L then select count(*) into imago_rows from %s; %s', upper(event),
      case event when 'delete' then 'imago_old' else 'imago_new' end,
      imago.trigger_query('%s', '{}', 'into imago_entities', imago.sync_query(sync, event, format(entities, sync.entity_column))));
    calls := calls || format(' when %L then %s', upper(event),
      imago.trigger_query('%s', '{}', ending, imago.sync_query(sync, event, sync.statement)));
  end loop;
  if 'update' = any (sync.events) then
    foreach query in array imago.sync_journal_updates(sync) loop
      follow := follow || format('execute %L; ', query);
    end loop;
    follow := case when follow <> '' then format('if tg_op = ''UPDATE'' then %s end if;', follow) else '' end;
  end if;

  return format(
    '#variable_conflict use_column
     declare
       imago_rows bigint;
       imago_row record;
       imago_entities text[];
       imago_batch bigint;
       imago_uncaptured jsonb;
       imago_outer text := coalesce(current_setting(''imago.batch'', true), '''');
       imago_depth text := coalesce(current_setting(''imago.sync_depth'', true), '''');
       imago_began timestamptz := clock_timestamp();
       imago_state text;
       imago_constraint text;
       imago_table text;
       imago_context text;
     begin
       if imago_outer <> '''' and imago.is_batch_open(%3$L) then
         return null;
       end if;
       loop
         begin
           if imago_entities is null then
             case tg_op %1$s end case;
             if imago_entities = ''{}'' then
               return null;
             end if;
           end if;
           %2$s
           imago_batch := imago.begin_sync_batch(%3$L, %4$s, imago_entities);
           if imago_batch is null then
             return null;
           end if;
           perform set_config(''lock_timeout'', ''100'', true);
           perform set_config(''imago.sync_depth'', pg_trigger_depth()::text, true);
           imago_uncaptured := imago.uncaptured_rows(%3$L);
           perform set_config(''imago.batch'', %3$L || '':'' || imago_batch, true);
           perform set_config(''search_path'', imago.app_search_path(), true);
           case tg_op %5$s end case;
           perform pg_catalog.set_config(''search_path'', '''', true);
           perform set_config(''imago.batch'', imago_outer, true);
           perform set_config(''imago.sync_depth'', imago_depth, true);
           %6$s
           perform imago.end_sync_batch(imago_batch, %3$L, %4$s, imago_entities, imago_uncaptured);
           return null;
         exception when others or assert_failure then
           perform set_config(''lock_timeout'', %7$L, true);
           get stacked diagnostics imago_state = returned_sqlstate, imago_constraint = constraint_name, imago_table = table_name,
             imago_context = pg_exception_context;
           if imago_entities is null then
             -- What the sync looks at is called otherwise by now.
             begin
               execute imago.entities_query(%3$L, %4$s, tg_op) into imago_entities;
             exception when others or assert_failure then
               imago_entities := ''{}'';
             end;
           end if;
           case imago.handle_failed_sync(%3$L, %4$s, imago_entities, imago_state, imago_constraint, imago_table, imago_context, imago_began)
             when ''raise'' then raise;
             when ''leave'' then return null;
             else null;
           end case;
         end;
       end loop;
     end',
    looks, imago.sync_lock(sync, plan), sync.plan, sync.position, calls, follow, imago.setting_number('lock_timeout_ms')::text);
end
$$;
comment on function imago.sync_body(imago.plan_sync, imago.plan, text) is 'PL/pgSQL: the body of the trigger function of one sync, with its statement written out. Waits are as short as those of batches, below deadlock_timeout, and repeated: the app is never the victim of a deadlock with one.';

-- imago.sync_ending
create or replace function imago.sync_ending(sync imago.plan_sync)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  event text;
  explained json;
begin
  foreach event in array sync.events loop
    -- Planned here, so that a statement that does not fit the app's tables fails now and not in the app's writes.
    perform set_config('search_path', imago.app_search_path(), true);
    execute 'explain (verbose, format json) with recursive ' || format('imago_new as (select * from %1$s), imago_old as (select * from %1$s), ', sync.relation)
      || substr(imago.sync_query(sync, event, sync.statement), length('with recursive ') + 1)
    into explained;
    perform pg_catalog.set_config('search_path', '', true);
    if imago.sync_undeclared(sync, explained) is not null then
      perform imago.raise_error('IM036', sync.name, sync.plan, imago.sync_undeclared(sync, explained));
    end if;
  end loop;
  -- PL/pgSQL wants to be told of a statement that answers rows.
  return case
    when explained #>> '{0,Plan,Node Type}' = 'ModifyTable' and explained #> '{0,Plan,Output}' is null then '' else 'rows' end;
end
$$;
comment on function imago.sync_ending(imago.plan_sync) is 'How the statement of a sync ends in its function: rows, if it answers any. Fails where it does not fit the tables, or writes what is not declared (IM036).';

-- imago.sync_function
create or replace function imago.sync_function(plan text, sync_position integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%s_sync_%s', plan, sync_position)
$$;
comment on function imago.sync_function(text, integer) is 'Name of the trigger function of a sync, in schema imago_undo.';

-- imago.sync_journal_updates
create or replace function imago.sync_journal_updates(sync imago.plan_sync)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
  mirrored text[];
  same_key text;
  journaled text;
  prints text;
  afters text;
  queries text[] := '{}';
begin
  select w.* into write from imago.plan_write w
  where w.plan = sync.plan and w.undo_table is not null and w.relation::pg_catalog.regclass = sync.relation::pg_catalog.regclass;
  if not found or sync.direction = 'forward' then
    return queries;
  end if;
  write.entity_column := coalesce(write.entity_column, write.key_columns[1]);
  same_key := imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and ');
  journaled := imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and ');

  -- What tells when a row was changed changes with what is mirrored.
  select array_agg(c) into mirrored
  from unnest(imago.stored_columns(sync.relation)) c
  where sync.columns is null or c = any (sync.columns)
    or c in (select m.name from imago.journal_columns(sync.relation, imago.stored_columns(sync.relation)) m
             where m.type like 'timestamp%' and m.name ~* '(updated|modified|changed)');
  if write.inserts then
    -- The print that the row would have if nothing but the mirrored columns had changed: any other edit shows, in the same
    -- statement, too. A row that was edited before keeps the print that says so.
    select string_agg(imago.fingerprint_part(case when c = any (mirrored) then 'n' else 'o' end, c), ', ' order by k) into prints
    from unnest(write.inserted_columns) with ordinality u(c, k);
    queries := queries || imago.sync_query(sync, 'update', format(
      'update imago_undo.%1$I j set print = array[%2$s]::integer[]
       from old_rows o join new_rows n on %3$s
       where j.entity in (o.%4$I, n.%4$I) and j.op = ''i'' and %5$s and %7$s is not distinct from %6$s',
      write.undo_table, prints, same_key, write.entity_column, journaled, imago.fingerprint('o', write.inserted_columns),
      imago.journaled_print(write, 'j')));
  end if;
  select string_agg(format(
      'after_%1$s = case when j.after_%1$s::%3$s is not distinct from o.%2$I::%3$s then n.%2$I::%4$s else j.after_%1$s end',
      c.ordinal, c.name, case when c.comparable then c.kept else 'text collate "C"' end, c.kept), ', ') into afters
  from imago.journal_columns(write.relation, write.columns) c
  where c.name = any (mirrored);
  if afters is not null then
    queries := queries || imago.sync_query(sync, 'update', format(
      'update imago_undo.%1$I j set %2$s from old_rows o join new_rows n on %3$s
       where j.entity = n.%4$I and j.op = ''u'' and %5$s',
      write.undo_table, afters, same_key, write.entity_column, journaled));
  end if;
  return queries;
end
$$;
comment on function imago.sync_journal_updates(imago.plan_sync) is 'SQL that moves the journal of the relation along with an update of the app. That is, for what is mirrored back, what the row holds now.';

-- imago.sync_lock
create or replace function imago.sync_lock(sync imago.plan_sync, plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Whoever writes the source holds its row already.
  if sync.relation::pg_catalog.regclass = plan.source::pg_catalog.regclass then
    return '';
  end if;
  return format(
    'if imago.is_all_moved(%1$L) then
       perform from (select from %2$s s where s.%3$I = any (imago_entities::%4$s[]) order by s.%3$I for key share) locked;
     else
       perform from (select from %2$s s where s.%3$I = any (imago_entities::%4$s[]) order by s.%3$I for share) locked;
     end if;',
    sync.plan, plan.source, plan.key_column, plan.key_type);
end
$$;
comment on function imago.sync_lock(imago.plan_sync, imago.plan) is 'PL/pgSQL that has a sync hold the source rows of its entities, so that no batch moves them meanwhile. Empty where the statement that it follows holds them.';

-- imago.sync_not_held
create or replace function imago.sync_not_held(sync imago.plan_sync, alias text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when sync.creates then format(
    ' and not exists (select from imago.failure f where f.plan = %L and f.stage = %s and f.kind = ''held'' and f.entity = %I.%I::text)',
    sync.plan, sync.stage, alias, sync.entity_column) else '' end
$$;
comment on function imago.sync_not_held(imago.plan_sync, text) is 'SQL: that the entity of a row is not held, where the sync would move it again.';

-- imago.sync_query
create or replace function imago.sync_query(sync imago.plan_sync, event text, query text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  start constant text := '^\s*with\s+(recursive\s+)?';
begin
  return format('with recursive %s%s %s',
    imago.sync_rows(sync, event),
    case when query ~* start then ',' else '' end,
    regexp_replace(rtrim(query, E' ;\n\t'), start, '', 'i'));
end
$$;
comment on function imago.sync_query(imago.plan_sync, text, text) is 'SQL: a query that reads new_rows and old_rows, with these put before it.';

-- imago.sync_rows
create or replace function imago.sync_rows(sync imago.plan_sync, event text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  keys text[] := imago.primary_key(sync.relation);
  same text;
begin
  if event = 'update' then
    same := format('%s and %s',
      imago.each_column('o.%2$I = n.%2$I', sync.relation, keys, ' and '),
      imago.each_column('o.%2$I::%5$s is not distinct from n.%2$I::%5$s', sync.relation,
                      coalesce(sync.columns, imago.stored_columns(sync.relation)), ' and '));
  end if;
  return format(
    'new_rows as (select n.* from %s n where %s%s), old_rows as (select o.* from %s o where %s%s)',
    case event when 'delete' then 'imago_old' else 'imago_new' end,
    case event when 'update' then format('not exists (select from imago_old o where %s)', same)
      when 'delete' then 'false' else 'true' end,
    imago.sync_not_held(sync, 'n'),
    case event when 'insert' then 'imago_new' else 'imago_old' end,
    case event when 'update' then format('not exists (select from imago_new n where %s)', same)
      when 'insert' then 'false' else 'true' end,
    imago.sync_not_held(sync, 'o'));
end
$$;
comment on function imago.sync_rows(imago.plan_sync, text) is 'SQL: new_rows and old_rows of one event as common table expressions over its transition tables. They hold the rows that count, without held entities where the sync creates.';

-- imago.sync_undeclared
create or replace function imago.sync_undeclared(sync imago.plan_sync, explained json)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(distinct t.relation, ', ')
  from jsonb_path_query(explained::jsonb, 'strict $.**') n(node)
  cross join lateral (select format('%I.%I', n.node ->> 'Schema', n.node ->> 'Relation Name') as relation) t
  where sync.direction = 'forward'
    and jsonb_typeof(n.node) = 'object' and n.node ->> 'Node Type' = 'ModifyTable' and n.node ->> 'Operation' <> 'Delete'
    and not exists (
      select from imago.plan_write w
      where w.plan = sync.plan and w.relation::pg_catalog.regclass = t.relation::pg_catalog.regclass)
$$;
comment on function imago.sync_undeclared(imago.plan_sync, json) is 'Tables that the statement of a forward sync writes and its plan does not declare, by the planner''s word. What functions write it cannot know.';

-- imago.table_counters
create or replace function imago.table_counters()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(format('%s %s', k.kind, s.relid::pg_catalog.regclass), k.rows), '{}')
  from pg_catalog.pg_stat_xact_user_tables s
  cross join lateral (
    values ('insert', s.n_tup_ins), ('update', s.n_tup_upd), ('delete', s.n_tup_del)
  ) k(kind, rows)
  where s.schemaname not in ('imago', 'imago_undo') and k.rows > 0
$$;
comment on function imago.table_counters() is 'Rows that this session has written so far by kind of write and table ("insert public.users"). Holds unflushed work of before as well; take differences.';

-- imago.take_readings
create or replace function imago.take_readings(plan imago.plan, run imago.run, governor imago.governor)
returns imago.reading[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  signal imago.signal;
  throttle imago.throttle;
  found_value record;
  reading imago.reading;
  before imago.reading;
  is_beside_app boolean;
  result imago.reading[] := '{}';
begin
  -- What others do is frozen for the whole transaction otherwise.
  perform pg_catalog.pg_stat_clear_snapshot();
  select t.* into throttle from imago.throttle t where t.plan = governor.plan;
  is_beside_app := imago.is_beside_app(governor.plan, run);
  for signal in
    select s.* from imago.signal s where s.name <> all (coalesce(throttle.ignored, '{}')) order by s.position
  loop
    begin
      for found_value in select v.name, v.value, v.capacity from imago.read_signal(signal.name, plan, run, governor, throttle) v loop
        reading := row(governor.plan, signal.name, found_value.name, 0, found_value.value, found_value.capacity, null, 0, 0, false, null, 0);
        select r.* into before from imago.reading r where r.plan = governor.plan and r.signal = signal.name and r.name = reading.name;
        result := result || imago.judge(signal, reading, before, is_beside_app);
      end loop;
    exception when others then
      reading := row(governor.plan, signal.name, '', 0, null, null, sqlstate, 0, 0, false, null, 0);
      select r.* into before from imago.reading r where r.plan = governor.plan and r.signal = signal.name and r.name = '';
      result := result || imago.judge(signal, reading, before, is_beside_app);
    end;
  end loop;
  return result;
end
$$;
comment on function imago.take_readings(imago.plan, imago.run, imago.governor) is 'Reads all signals that are not ignored. Changes nothing.';

-- imago.throttle_fields
create or replace function imago.throttle_fields(throttle imago.throttle)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'hours', case when throttle.hours_from is not null then imago.hours_text(throttle) end, 'max_per_second', throttle.max_per_second,
    'throttle_query', throttle.throttle_query is not null, 'ignore', to_jsonb(throttle.ignored),
    'set_by', throttle.set_by, 'set_at', throttle.set_at)
$$;
comment on function imago.throttle_fields(imago.throttle) is 'Limits as answers have them. Of the query only whether there is one.';

-- imago.throttle_json
create or replace function imago.throttle_json(plan text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select imago.throttle_fields(t)
  from imago.throttle t
  where t.plan = throttle_json.plan
    and (t.hours_from is not null or t.max_per_second is not null or t.throttle_query is not null or t.ignored <> '{}')
$$;
comment on function imago.throttle_json(text) is 'The limits that operators have set for the runs of a plan; null where there are none.';

-- imago.throttle_plan
create or replace function imago.throttle_plan(plan_name text, hours text, max_per_second integer, throttle_query text, ignore text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  throttle imago.throttle;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_writable();
  perform imago.expect_throttle(max_per_second, ignore);
  perform imago.expect_throttle_query(throttle_query);
  select t.* into throttle from imago.throttle t where t.plan = plan_name for update;
  throttle := imago.set_hours(throttle, hours);
  throttle.max_per_second := nullif(coalesce(max_per_second, throttle.max_per_second), 0);
  throttle.throttle_query := nullif(coalesce(throttle_query, throttle.throttle_query), '');
  throttle.ignored := coalesce(ignore, throttle.ignored, '{}');
  insert into imago.throttle (plan, hours_from, hours_to, time_zone, max_per_second, throttle_query, ignored, set_by)
  values (plan_name, throttle.hours_from, throttle.hours_to, throttle.time_zone, throttle.max_per_second, throttle.throttle_query,
    throttle.ignored, imago.caller_name())
  on conflict (plan) do update set
    hours_from = excluded.hours_from, hours_to = excluded.hours_to, time_zone = excluded.time_zone, max_per_second = excluded.max_per_second,
    throttle_query = excluded.throttle_query, ignored = excluded.ignored, set_by = excluded.set_by, set_at = clock_timestamp();
  select t.* into throttle from imago.throttle t where t.plan = plan_name;
  perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, 'info', 'throttled', imago.throttle_fields(throttle) - 'set_at');
  return imago.throttle_fields(throttle) || jsonb_build_object('plan', plan_name);
end
$$;
comment on function imago.throttle_plan(text, text, integer, text, text[]) is 'Sets when and how fast the runs of a plan may work, and logs who has. Null leaves a limit as it is.';

-- imago.tick
create or replace function imago.tick(plan_name text, finalize boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  answer jsonb;
  failed_with text;
  context text;
  raiser record;
  detail jsonb := '{}';
begin
  -- The job stays, and goes on with the first tick that can write.
  if imago.read_only_reason() is not null then
    return jsonb_build_object('plan', plan_name, 'status', 'waiting') || imago.waiting_fields();
  end if;
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'tick')) then
    return jsonb_build_object('plan', plan_name, 'status', 'busy');
  end if;
  run := imago.unfinished_run(plan_name);
  if finalize or run.id is not null then
    begin
      answer := imago.drive_tick(plan_name, run, finalize);
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        failed_with := sqlstate;
      when others or assert_failure then
        failed_with := sqlstate;
        get stacked diagnostics context = pg_exception_context;
        raiser := imago.find_raiser(context, sqlstate, plan_name);
        detail := case when raiser.by_engine and sqlstate like 'IM%' then jsonb_build_object('message', sqlerrm)
          else jsonb_strip_nulls(jsonb_build_object('raised_by', raiser.raised_by)) end;
    end;
    if failed_with is not null then
      answer := jsonb_build_object('plan', plan_name, 'run', run.id, 'status', 'error', 'code', failed_with) || detail;
      -- Nobody reads what a job raises, and it would take this line back with it.
      perform imago.write_log(plan_name, run.id, 'error', 'tick', detail, null, failed_with);
    end if;
  end if;
  perform imago.unschedule_ended(plan_name, finalize, failed_with);
  return coalesce(answer, jsonb_build_object('plan', plan_name, 'status', 'done'));
end
$$;
comment on function imago.tick(text, boolean) is 'What the pg_cron job of a plan runs: one call''s worth of its unfinished run, forward or back, or of finalize. Ticks that overlap leave the work to the first. Removes the job when nothing is left to do or an error will not pass.';

-- imago.tick_budget
create or replace function imago.tick_budget(plan_name text)
returns integer
language sql
stable
set search_path = ''
as $$
  select least(imago.setting_number('tick_ms'), 800 * extract(epoch from (
    select i.every from imago.cron_intervals() i where i.schedule = imago.find_job(plan_name) ->> 'schedule')))::integer
$$;
comment on function imago.tick_budget(text) is 'Milliseconds that a tick may work: most of its interval, at most tick_ms. A tick is one transaction and holds the rows that it moves.';

-- imago.timed_out
create or replace function imago.timed_out()
returns boolean
language sql
stable
set search_path = ''
as $$
  select s.setting::integer > 0
    and clock_timestamp() - statement_timestamp() >= make_interval(secs => 0.95 * s.setting::integer / 1000.0)
  from pg_catalog.pg_settings s where s.name = 'statement_timeout'
$$;
comment on function imago.timed_out() is 'Whether a cancel that was just caught was the statement timeout; otherwise a person asked for it.';

-- imago.touch_columns
create or replace function imago.touch_columns(relation text, declared text[])
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(a.attname::text order by a.attnum), '{}')
  from pg_catalog.pg_attribute a
  where a.attrelid = relation::pg_catalog.regclass
    and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and a.atttypid in ('timestamp'::pg_catalog.regtype, 'timestamptz'::pg_catalog.regtype)
    and a.attname ~* '(updated|modified|changed)'
    and a.attname <> all (declared)
    and exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid in (select w from imago.written_tables(touch_columns.relation) w) and not t.tgisinternal and not imago.is_ours(t.tgfoid)
        and t.tgtype & 1 = 1 and t.tgtype & 2 = 2 and t.tgtype & 16 = 16)
$$;
comment on function imago.touch_columns(text, text[]) is 'updated_at-like columns that a BEFORE UPDATE row trigger of the app may move; batches keep their old value.';

-- imago.transition_last_run
create or replace function imago.transition_last_run(plan_name text, event text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  seen imago.run := imago.last_run(plan_name);
  run imago.run;
  next_state text;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  if seen.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  run := imago.lock_last_run(plan_name);
  select t.to_state into next_state from imago.transition t where t.event = transition_last_run.event and t.from_state = seen.state;
  -- Who asked for the same at the same time was faster: then it is as it was asked for.
  if run.id <> seen.id or run.state = seen.state or run.state is distinct from next_state then
    next_state := imago.transition_run(run.id, event);
  end if;
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'direction', run.direction, 'state', next_state);
end
$$;
comment on function imago.transition_last_run(text, text) is 'pause, resume or cancel for the newest run of a plan. No caller is refused for being second to ask for the same.';

-- imago.transition_run
create or replace function imago.transition_run(run_id bigint, event text, reason text default null, error_code text default null, error_detail text[] default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  next_state text;
begin
  select t.to_state into next_state
  from imago.transition t
  where t.event = transition_run.event and t.from_state = run.state;
  if not found then
    perform imago.raise_error('IM008', event, run.plan, run.state, imago.allowed_events(run.state));
  end if;

  update imago.run r set
    state = next_state,
    reason = transition_run.reason,
    error_code = transition_run.error_code,
    error_detail = transition_run.error_detail,
    started_at = case when next_state = 'running' then coalesce(r.started_at, clock_timestamp()) else r.started_at end,
    finished_at = case when next_state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end,
    findings = case when next_state <> 'running' then r.findings end
  where r.id = run_id;
  perform imago.write_log(
    run.plan, run_id, case when next_state = 'failed' then 'error' else 'info' end, 'state',
    jsonb_strip_nulls(jsonb_build_object('event', event, 'from', run.state, 'to', next_state, 'reason', reason, 'code', error_code)));
  return next_state;
end
$$;
comment on function imago.transition_run(bigint, text, text, text, text[]) is 'One edge of imago.transition: waits for batches in flight (bounded, else IM016), checks, changes the state and logs.';

-- imago.trigger_name
create or replace function imago.trigger_name(plan text, kind text, part text default null)
returns text
language sql
immutable
set search_path = ''
as $$
  -- Any number of plans may share a table, so each name carries the plan. Triggers fire in the order of their names' bytes: no
  -- character sorts before that of the note, which sees a row as the statement wrote it, or behind that of the keeper, which has
  -- the last word on it.
  select case kind
    when 'guard' then format('!imago_%s_guard', plan)
    when 'note' then chr(1) || format('imago_%s_note', plan)
    when 'keep' then repeat(case when pg_catalog.getdatabaseencoding() = 'UTF8' then chr(1114111) else '~' end, 3) || format('imago_%s_keep', plan)
    -- After those of all plans that journal, or have the journal follow, what the statement has written.
    when 'sync' then format('~imago_~sync_%s_%s', plan, part)
    else format('~imago_%s_%s', plan, kind)
  end
$$;
comment on function imago.trigger_name(text, text, text) is 'Name of a plan''s trigger of a kind: guard, note, insert, update, walk, keep, or sync. Of a sync, its position and its event are the part.';

-- imago.trigger_query
create or replace function imago.trigger_query(template text, variables text[], ending text, variadic parts text[])
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  kept text := format(template, variadic variables || parts);
  own text := format(template, variadic (array['$1', '$2'])[:cardinality(variables)] || parts);
begin
  -- A plan that is kept was made for the number of rows of its first call: a join of old and new rows that was planned for few
  -- compares each with each. So what writes many rows is planned anew each time; for few that takes longer than the work.
  return format(E'if imago_rows <= 100 then\n%s\nelse execute %L%s%s; end if;\n',
    case ending when 'rows' then format(E'for imago_row in %s\n loop end loop;', kept) else format(E'%s\n%s;', kept, ending) end,
    own, case ending when 'rows' then '' else ' ' || ending end,
    case when variables = '{}' then '' else ' using ' || array_to_string(variables, ', ') end);
end
$$;
comment on function imago.trigger_query(text, text[], text, text[]) is 'PL/pgSQL of a trigger: runs a query over its rows, with a plan that is kept if they are few, else with one of its own. In the template come the variables first (at most two), then the parts. It ends with an into clause, nothing, or, with rows, answers rows that nobody reads.';

-- imago.triggers_of
create or replace function imago.triggers_of(routine oid)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(case when t.place <= 3 then format('trigger %I on %I.%I', t.tgname, t.nspname, t.relname) else '…' end, ', ' order by t.place)
  from (
    select g.tgname, n.nspname, c.relname, row_number() over (order by n.nspname, c.relname, g.tgname) as place
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    -- A trigger of a partitioned table stands for those of its partitions.
    where g.tgfoid = routine and not g.tgisinternal and g.tgparentid = 0
  ) t
  where t.place <= 4
$$;
comment on function imago.triggers_of(oid) is 'The triggers that call a function, each with its table, for people; at most three, then dots.';

-- imago.trouble_statistics
create or replace function imago.trouble_statistics(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with lines as (
    select l.event, l.sqlstate, l.detail ->> 'raised_by' as raised_by from imago.log l where l.plan = run.plan and l.run = run.id
  ), processed as (
    select coalesce(sum(l.processed), 0) as amount from imago.lane l where l.run = run.id
  )
  select jsonb_build_object(
    'error_rate', round((select count(*) from lines where event in ('failed', 'too_large', 'unreachable'))::numeric
      / nullif((select amount from processed), 0), 6),
    'errors_by_sqlstate', coalesce((
      select jsonb_object_agg(s.sqlstate, s.n) from (
        select coalesce(sqlstate, 'none') as sqlstate, count(*) as n from lines where event in ('failed', 'too_large', 'unreachable') group by 1) s), '{}'),
    'errors_by_raiser', coalesce((
      select jsonb_object_agg(s.raised_by, s.n) from (
        select raised_by, count(*) as n from lines where event in ('failed', 'too_large', 'unreachable') and raised_by is not null
        group by 1 order by 2 desc, 1 limit 10) s), '{}'),
    'deferred_batches', (select count(*) from lines where event = 'deferred'),
    'halved_batches', (select count(*) from lines where event = 'halved'),
    'timed_out_batches', (select count(*) from lines where event = 'timeout'),
    'lock_timeouts_55P03', (select count(*) from lines where sqlstate = '55P03'),
    'deadlocks_40P01', (select count(*) from lines where sqlstate = '40P01'))
$$;
comment on function imago.trouble_statistics(imago.run) is 'Errors and who raised them, deferrals, halvings, lock timeouts and deadlocks of a run, from its log.';

-- imago.uncaptured_rows
create or replace function imago.uncaptured_rows(plan text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  seen bigint;
  written bigint;
  result jsonb := '{}';
begin
  for write in select w.* from imago.plan_write w where w.plan = uncaptured_rows.plan and w.captured_at is not null loop
    begin
      seen := pg_catalog.currval(format('imago_undo.%I', write.undo_table || '_seen'));
    exception when object_not_in_prerequisite_state then
      -- The first batch of this session.
      seen := pg_catalog.setval(format('imago_undo.%I', write.undo_table || '_seen'), 1);
    end;
    -- Rows of a partitioned table are counted on its partitions.
    select sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)
             + case when write.inserts then pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) else 0 end)
      into written
    from (select c.oid from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(write.relation)
          union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(write.relation)) p) t(oid);
    result := result || jsonb_build_object(write.relation, coalesce(written, 0) - seen);
  end loop;
  return result;
end
$$;
comment on function imago.uncaptured_rows(text) is 'By declared relation: rows written, as the server counts them, less rows that the capture triggers have seen. Take differences.';

-- imago.undeclared_probe
create or replace function imago.undeclared_probe(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- Rows that the plan has inserted go back whole, and generated columns by themselves: neither needs declaring.
  select format(
    'insert into imago.log (plan, level, event, detail)
     select %1$L, ''debug'', ''undeclared_column'', jsonb_build_object(''relation'', %2$L, ''column'', a.key)
     from (
       select to_jsonb(o.*) as before, to_jsonb(n.*) as after from old_rows o join new_rows n on %3$s
       where not exists (select from imago_undo.%4$I j where j.entity = n.%5$I and j.op = ''i'' and %6$s)
       limit 1000
     ) changed
     cross join lateral jsonb_each(changed.before) b join lateral jsonb_each(changed.after) a on a.key = b.key
     where a.value is distinct from b.value and a.key <> all (%7$L::text[])
     group by a.key;',
    write.plan, write.relation,
    (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(write.key_columns) c),
    write.undo_table, write.entity_column,
    imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
    write.columns || array(
      select a.attname::text from pg_catalog.pg_attribute a
      where a.attrelid = write.relation::pg_catalog.regclass and a.attgenerated <> '' and not a.attisdropped))
$$;
comment on function imago.undeclared_probe(imago.plan_write) is 'SQL for the capture function: in a dry run, notes columns that changed and are not declared.';

-- imago.undo_bytes
create or replace function imago.undo_bytes(plan_name text)
returns table (undo_table text, bytes bigint)
language sql
volatile
set search_path = ''
as $$
  select w.undo_table, pg_catalog.pg_total_relation_size(t.oid)
  from imago.plan_write w
  -- Null, and not an error, where there is no undo table.
  cross join lateral (select pg_catalog.to_regclass('imago_undo.' || quote_ident(w.undo_table)) as oid) t
  where w.plan = plan_name and t.oid is not null
$$;
comment on function imago.undo_bytes(text) is 'The undo tables of a plan that are there, each with the space that it takes on disk.';

-- imago.undo_rows
create or replace function imago.undo_rows(write imago.plan_write, plan imago.plan, entities anyarray, out query text, out row_count bigint, out journaled bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  written_again boolean;
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  source text := format('imago_undo.%I u where u.entity = any %s and u.op = ''u''', write.undo_table, imago.keys_sql(plan));
begin
  if write.inserts then
    source := source || format(
      ' and not exists (select from imago_undo.%I i where i.entity = u.entity and i.op = ''i'' and %s)',
      write.undo_table, imago.each_column('i.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '));
  end if;
  execute format(
    'select coalesce(bool_or(e.again), false), coalesce(sum(e.rows), 0)
     from (select min(u.batch) < max(u.batch) as again, count(*) as rows from %s group by u.entity) e', source)
  into written_again, row_count using entities;
  journaled := row_count;
  if not written_again then
    query := format('select u.entity, %s, %s, %s from %s',
      imago.each_column('u.key_%1$s', write.relation, write.key_columns),
      imago.each_column('u.before_%1$s', write.relation, write.columns),
      imago.each_column('u.after_%1$s', write.relation, write.columns), source);
    return;
  end if;
  -- A batch that left a column alone has noted what it found there, which may be somebody's edit: the after of a column is
  -- that of the last batch which changed it.
  query := format(
    'select distinct on (%1$s) u.entity, %2$s, %3$s, %4$s from %5$s order by %1$s',
    'u.entity, ' || imago.each_column('u.key_%1$s', write.relation, write.key_columns),
    imago.each_column('u.key_%1$s', write.relation, write.key_columns),
    imago.each_column(format('first_value(u.before_%%1$s) over (partition by u.entity, %s order by u.batch) as before_%%1$s', keys),
                    write.relation, write.columns),
    imago.each_column(format(
      'first_value(u.after_%%1$s) over (
         partition by u.entity, %s
         order by u.before_%%1$s::%%5$s is distinct from u.after_%%1$s::%%5$s desc,
                  case when u.before_%%1$s::%%5$s is distinct from u.after_%%1$s::%%5$s then - u.batch else u.batch end) as after_%%1$s', keys),
      write.relation, write.columns),
    source);
  execute format('select count(*) from (%s) j', query) into row_count using entities;
end
$$;
comment on function imago.undo_rows(imago.plan_write, imago.plan, anyarray) is 'SQL for the updates of the entities $1, one row for each row written, and how many there are. journaled: rows of the journal. Each column has its before of the first batch, and its after of the last one that changed it.';

-- imago.undo_table_name
create or replace function imago.undo_table_name(plan text, relation text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when relation ~ '^public\.[a-z0-9_]+$' and octet_length(name) <= 45 then name
    else left(name, 36) || '_' || left(md5(undo_table_name.plan || ' ' || relation), 8)
  end
  from (select undo_table_name.plan || '_' || regexp_replace(lower(relation), '[^a-z0-9]+', '_', 'g') as name) full_name
$$;
comment on function imago.undo_table_name(text, text) is 'Name of an undo table: readable, and short enough to carry suffixes. Distinct for names that differ late, by a letter''s case or by what is no letter.';

-- imago.undone
create or replace function imago.undone(plan imago.plan)
returns table (reason text, remedy text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_effective_run(plan.name);
  staged imago.plan;
  pending text[] := '{}';
  answer jsonb;
begin
  return query select o.reason, o.remedy from imago.finalize_obstacles(plan, '{}') o;
  if found then
    return;
  end if;
  if run.id is null or run.direction = 'rollback' or run.state <> 'succeeded' then
    return query select
      case when run.id is null then 'nothing has been migrated'
        when run.direction = 'rollback' then 'it was rolled back'
        else format('its last run is %s', run.state) end,
      'Call migrate_batch until has_more is false.';
    return;
  end if;
  for staged in select s.* from imago.plan_stages(plan) s loop
    pending := array(select jsonb_array_elements_text(imago.ask_pending(staged, format(
      'select coalesce(jsonb_agg(coalesce(p.entity, ''null'')), ''[]'') from (select entity::text from %s limit 4) p',
      imago.plan_object(staged, 'pending')))));
    if pending <> '{}' then
      return query select format('%s of %s pending%s',
          case cardinality(pending) when 4 then 'some' else cardinality(pending)::text end, staged.source, imago.sample_keys_text(pending, cardinality(pending))),
        'Call migrate_batch until has_more is false.';
      return;
    end if;
  end loop;
  if run.findings = '[]' then
    return;
  end if;
  -- It may have been put right since. How far checks are is written down.
  perform imago.expect_writable(moving => false);
  answer := imago.run_error_checks(plan, run.id, clock_timestamp() + interval '1 hour', clock_timestamp());
  if answer -> 'failing' <> '[]' then
    return query select 'its checks find something: ' || string_agg(f ->> 'name', ', '), 'Call validate_migration and put right what it finds.'
    from jsonb_array_elements(answer -> 'failing') f;
  elsif (answer ->> 'has_more')::boolean then
    return query select 'its checks are not through'::text, 'Call migrate_batch until has_more is false.'::text;
  end if;
end
$$;
comment on function imago.undone(imago.plan) is 'What keeps a plan from being done, each with its remedy. Looks for what is pending now, however the last run ended.';

-- imago.unfinished_run
create or replace function imago.unfinished_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r
  where r.plan = unfinished_run.plan and r.state in ('pending', 'running', 'paused')
$$;
comment on function imago.unfinished_run(text) is 'The one run of the plan that has not ended, or null.';

-- imago.unique_problems
create or replace function imago.unique_problems(relation text, name text, purpose text)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'not_unique', format('%s.%I', relation, name), 'is not unique', purpose
  from pg_catalog.pg_class c
  where c.oid = pg_catalog.to_regclass(relation) and not exists (
    select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 and a.attname = name)
$$;
comment on function imago.unique_problems(text, text, text) is 'For plans: an error where no unique index holds a column of a table alone. purpose says what needs one. None where there is no such table.

Example: select * from imago.unique_problems(''public.avatars'', ''id'', ''Users refer to it.'')';

-- imago.unprepare_plan
create or replace function imago.unprepare_plan(run imago.run, plan imago.plan)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  if exists (select from imago.failure f where f.plan = plan.name and f.direction = 'rollback' and f.kind <> 'forgotten') then
    return 'kept';
  end if;
  perform imago.remove_triggers(plan);
  -- Who was writing when we last looked has ended, for we hold the tables: its sync may have added to the journal.
  if exists (select from imago.begun_stages(run, plan) s where imago.remaining_entities(run, s, 1) <> '{}') then
    raise exception using errcode = '40IM2', message = 'a transaction in flight has written more';
  end if;
  update imago.plan p set prepared_at = null where p.name = plan.name;
  delete from imago.declared d where d.plan = plan.name;
  -- The next run looks at the app anew and does the steps again: they are idempotent.
  update imago.plan_step s set done_at = null, cursor_key = null, walked = 0 where s.plan = plan.name;
  delete from imago.failure f where f.plan = plan.name and f.kind <> 'forgotten';
  delete from imago.sync_failure s where s.plan = plan.name;
  delete from imago.lost_row l where l.plan = plan.name;
  delete from imago.stray_row l where l.plan = plan.name;
  return 'removed';
exception
  when lock_not_available or deadlock_detected then
    return 'busy';
  when sqlstate '40IM2' then
    get stacked diagnostics context = pg_exception_context;
    if not (imago.find_raiser(context, '40IM2', plan.name)).by_engine then
      raise;
    end if;
    return 'more';
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context;
    if left(sqlstate, 2) in ('40', '53', '57') then
      raise;
    end if;
    -- An event trigger of the app, say. All is back but for our triggers; a retry removes them.
    return imago.stop_run(run, 'IM041', array['triggers of Imago', plan.name,
      imago.sqlstate_text(sqlstate, (imago.find_raiser(context, sqlstate, plan.name)).raised_by)]);
end
$$;
comment on function imago.unprepare_plan(imago.run, imago.plan) is 'Removes our triggers from the app''s tables once everything is back. Outcome removed; kept while an entity is set aside; busy when a table cannot be locked just now; more when something has come that is not back; failed when they cannot be removed, which stops the run.';

-- imago.unreachable_findings
create or replace function imago.unreachable_findings(sources text[], entities text[])
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', format('%s %s', u.source, coalesce(u.entity, 'null')),
    'message', case when u.entity is null then 'the view pending lists rows whose entity is null' else 'is pending, and there is no such row' end,
    'hint', 'Give these rows an entity that is there, or have the view leave them out; then call retry_failed_migrations.') order by u.n), '[]')
  from unnest(sources, entities) with ordinality u(source, entity, n)
$$;
comment on function imago.unreachable_findings(text[], text[]) is 'Unreachable entities as findings of a check.';

-- imago.unreachable_keys
create or replace function imago.unreachable_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  absent_sql constant text := format(
    'select coalesce(array_agg(k.key), ''{}'') from unnest($1) k(key)
     where not exists (select from %s s where s.%I = k.key::%s)',
    plan.source, plan.key_column, plan.key_type);
  no_keys text[];
  absent text[];
begin
  begin
    execute absent_sql into absent using keys;
  exception when data_exception then
    -- The view lists what can be no key, such as a number that is too large for one.
    no_keys := array(select k from unnest(keys) k where not imago.is_key(plan, k));
    execute absent_sql into absent using array(select k from unnest(keys) k where k <> all (no_keys));
    absent := no_keys || absent;
  end;
  -- A later statement: an entity that the app has just deleted is not pending any more either.
  return case when absent = '{}' then absent else imago.pending_or_unknown(plan, absent) end;
end
$$;
comment on function imago.unreachable_keys(imago.plan, text[]) is 'Those of the keys that the view pending lists, or cannot be asked for, and the source does not have.';

-- imago.unschedule
create or replace function imago.unschedule(plan_name text, reason text, level text default 'info', sqlstate text default null)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.unschedule_direct(plan_name);
  if imago.find_job(plan_name) is null then
    return false;
  end if;
  perform cron.unschedule(imago.job_name(plan_name));
  perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, level, 'unscheduled',
    jsonb_build_object('job', imago.job_name(plan_name), 'reason', reason), null, sqlstate);
  return true;
end
$$;
comment on function imago.unschedule(text, text, text, text) is 'Removes the job of a plan and logs why; false where there is none.';

-- imago.unschedule_direct
create or replace function imago.unschedule_direct(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if imago.find_job(plan_name, true) is not null then
    perform cron.unschedule(imago.job_name(plan_name, true));
  end if;
end
$$;
comment on function imago.unschedule_direct(text) is 'Removes the job that runs the statement of a direct step, if there is one. pg_cron cancels a statement that is under way.';

-- imago.unschedule_ended
create or replace function imago.unschedule_ended(plan_name text, finalize boolean, failed_with text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  last imago.run;
begin
  -- Somebody schedules at this very moment: the next tick decides.
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'schedule')) then
    return;
  end if;
  if finalize and (imago.find_plan(plan_name)).finalized_at is not null then
    perform imago.unschedule(plan_name, 'finalized');
  elsif not finalize and (imago.unfinished_run(plan_name)).id is null then
    last := imago.last_run(plan_name);
    perform imago.unschedule(plan_name, coalesce(concat_ws(': ', last.state, last.reason), 'no run'),
      case last.state when 'succeeded' then 'info' when 'failed' then 'error' else 'warning' end);
  elsif failed_with !~ '^(40|53|55|57|58|IM016)' then
    perform imago.unschedule(plan_name, 'error', 'error', failed_with);
  end if;
end
$$;
comment on function imago.unschedule_ended(text, boolean, text) is 'Removes the job of a plan that has nothing left to do, or whose tick failed for good. No run of it is unfinished, or finalize is done; or the SQLSTATE is one that does not pass by itself.';

-- imago.validate
create or replace function imago.validate(
  plan_name text,
  detailed boolean,
  fixes boolean,
  max_ms integer,
  dry_run boolean
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  validation imago.validation;
  held jsonb;
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
begin
  perform imago.expect_size(null, max_ms);
  if detailed is null or fixes is null or dry_run is null then
    perform imago.raise_error('IM004', case when detailed is null then 'detailed' when fixes is null then 'fix_issues' else 'dry_run' end);
  end if;
  if fixes then
    perform imago.expect_session();
  end if;
  if not fixes and imago.read_only_reason(moving => false) is not null then
    return imago.look_through(plan, detailed, started, deadline);
  elsif fixes and imago.read_only_reason() is not null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started) || '{"status": "waiting"}' || imago.waiting_fields();
  end if;
  held := imago.held_fields(plan);
  if held is not null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started) || '{"status": "waiting"}' || held;
  end if;
  validation := imago.claim_validation(plan, fixes, dry_run, null, null);
  if validation.id is null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started);
  end if;

  validation := imago.work_validation(validation, plan, deadline);
  return imago.validation_answer(validation.id, validation.state, detailed, started)
    || case validation.state when 'done' then jsonb_build_object('progress', imago.validated_figures(plan)) else '{}' end;
end
$$;
comment on function imago.validate(text, boolean, boolean, integer, boolean) is 'One call''s worth of a validation that a person asks for: takes it up where the last call left it. While nothing can be written, it looks as far as one call gets.';

-- imago.validate_constraint
create or replace function imago.validate_constraint(relation text, name text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  valid boolean;
begin
  select c.convalidated into valid
  from pg_catalog.pg_constraint c
  where c.conrelid = pg_catalog.to_regclass(relation) and c.conname = name;
  if coalesce(valid, true) then
    return true;
  end if;
  if imago.is_large(relation) then
    return false;
  end if;
  perform set_config('search_path', imago.app_search_path(), true);
  execute format('alter table %s validate constraint %I', relation, name);
  perform pg_catalog.set_config('search_path', '', true);
  return true;
end
$$;
comment on function imago.validate_constraint(text, text) is 'For plans: a direct step''s routine: whether a constraint is valid, or is not there. A table below direct_mb is validated here and now. Validating blocks neither readers nor writers.

Example: select imago.validate_constraint(''public.posts'', ''posts_avatar_id_fkey'')';

-- imago.validated_figures
create or replace function imago.validated_figures(plan imago.plan)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.plan_words(plan) || imago.figures(plan);
-- What cannot be counted is named by the checks.
exception when others or assert_failure then
  return null;
end
$$;
comment on function imago.validated_figures(imago.plan) is 'How far a plan is, for the answer of a validation; null where its tables or views cannot be read.';

-- imago.validation_answer
create or replace function imago.validation_answer(validation_id bigint, status text, detailed boolean, started timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.validation_report(v, array(select i from imago.validation_check i where i.validation = v.id), status, detailed, started)
  from imago.validation v
  where v.id = validation_id
$$;
comment on function imago.validation_answer(bigint, text, boolean, timestamptz) is 'The JSON that validate_migration returns of a validation that is written down.';

-- imago.validation_phase
create or replace function imago.validation_phase(plan imago.plan)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when run.id is null or plan.prepared_at is null or run.state = 'pending' then 'before'
    when run.direction = 'rollback' and run.state = 'succeeded' then 'before'
    when run.direction = 'forward' and imago.end_status(run) = 'done' then 'after'
    else 'during'
  end
  from imago.last_effective_run(plan.name) run
$$;
comment on function imago.validation_phase(imago.plan) is 'What a validation may expect: before, during or after. Before: nothing is moved, or everything was taken back. During: half-way. After: the run has ended.';

-- imago.validation_report
create or replace function imago.validation_report(validation imago.validation, items imago.validation_check[], status text, detailed boolean, started timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with v as (
    select (validation).*
  ), checks as (
    select i.*, c.name, c.severity, c.phase, c.meaning, c.remedy, c.routine,
      c.fix is not null and v.phase = 'after' as fixable,
      case when v.state <> 'done' and not i.done and i.remaining is not null then greatest(i.found - i.fixed, 0)
        when v.dry_run then i.found else coalesce(i.remaining, i.found) end as still
    from v
    cross join unnest(items) i
    join imago.plan_check c on c.id = i.plan_check
  ), sums as (
    select
      coalesce(sum(still) filter (where severity = 'error'), 0) as errors,
      coalesce(sum(still) filter (where severity = 'warning'), 0) as warnings,
      coalesce(sum(still) filter (where severity = 'manual'), 0) as manual,
      coalesce(sum(fixed), 0) as fixed, coalesce(sum(fixes_failed), 0) as fixes_failed,
      coalesce(sum(checked), 0) as checked, coalesce(sum(greatest(total, checked)), 0) as total,
      count(*) filter (where error is not null) as unchecked, max(deferrals) as deferrals,
      jsonb_agg(jsonb_build_object(
        'name', name, 'severity', severity, 'phase', phase, 'meaning', meaning, 'remedy', remedy, 'applicable', applicable,
        'found', found, 'left', still, 'partial', not done and remaining is null, 'fixable', fixable,
        'fixed', case when (select v.dry_run from v) then 0 else fixed end,
        'would_fix', case when (select v.dry_run and v.fixes from v) and fixable then fixed end,
        'written', written, 'fixes_failed', fixes_failed, 'error', error, 'facts', facts,
        'slow_piece_ms', case when piece_ms > imago.setting_number('sub_batch_ms') then round(piece_ms) end)
        || case when routine is not null then jsonb_build_object('findings', jsonb_path_query_array(findings, '$[0 to 19]')) else '{}' end
        || case when detailed then jsonb_build_object('keys', case when routine is null then to_jsonb(keys)
             else jsonb_path_query_array(findings, '$[0 to 9].object') end) else '{}' end
        order by position) as list
    from checks
  )
  select jsonb_build_object(
    'plan', v.plan, 'phase', v.phase, 'validation', v.id, 'status', status, 'has_more', status <> 'done', 'partial', status <> 'done',
    'percentage', case when status = 'done' then 100 else least(99.99, trunc(100.0 * s.checked / greatest(1, s.total), 2)) end,
    'checked', s.checked, 'total', case when status = 'done' then s.checked else s.total end,
    'errors', s.errors, 'warnings', s.warnings, 'manual', s.manual,
    'fixed', case when v.dry_run then 0 else s.fixed end, 'fixes_failed', s.fixes_failed,
    'healthy', status = 'done' and s.errors = 0 and s.unchecked = 0,
    'dry_run', v.dry_run, 'retry_after_ms', case when status = 'fixing' and s.deferrals > 0 then 200 else 0 end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1),
    'checks', coalesce(s.list, '[]'))
  from v, sums s
$$;
comment on function imago.validation_report(imago.validation, imago.validation_check[], text, boolean, timestamptz) is 'The JSON that validate_migration returns, of a validation and how far it is with each check.';

-- imago.view_in
create or replace function imago.view_in(lines text[], plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select v.name
  from regexp_matches(array_to_string(lines, E'\n'), '(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")\.(?:pending|concerned)(?:_[0-9]+)?\M', 'g') m(found)
  cross join lateral (select m.found[1] as name) v
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(v.name)
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = view_in.plan
  limit 1
$$;
comment on function imago.view_in(text[], text) is 'The view of a plan that a statement in these lines of an error''s context reads. Only its name is answered, as the catalogue has it.';

-- imago.visibility
create or replace function imago.visibility(plan text, relation text, source text, link jsonb, origins jsonb default '{}')
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  present constant boolean := pg_catalog.to_regclass(relation) is not null;
  -- One of the app's own stays as visible as the app has made it.
  own constant boolean := present and not imago.is_added(plan, relation);
  reader record;
  said boolean := false;
begin
  for reader in
    select g.role, c.columns, c.all_columns, s.policies as source_policies,
      case when present then imago.shown_rows(relation, g.role) when link = '{}' and s.policies is not null then '{}' else s.policies end as policies,
      array(select c from unnest(c.columns) c where c <> all (imago.shown_columns(relation, source, link, origins, g.role))) as more
    from imago.grantees(case when present then relation else source end) g
    cross join lateral (select imago.shown_rows(source, g.role) as policies) s
    cross join lateral (
      select g.reads_all as all_columns, case when present then array(
          select a.attname::text from pg_catalog.pg_attribute a
          where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
            and pg_catalog.has_column_privilege((parse_ident(g.role))[1], a.attrelid, a.attnum, 'select') order by 1)
        else imago.shown_columns(relation, source, link, origins, g.role) end as columns) c
    where c.columns <> '{}'
  loop
    said := true;
    if own and (reader.more <> '{}' or reader.policies is null and reader.source_policies is not null) then
      return query select 'warning', 'more_visible', relation,
        format('shows %s more than %s does: %s', reader.role, source, concat_ws(', ',
          case when reader.policies is null and reader.source_policies is not null then 'all rows' end,
          nullif(array_to_string(reader.more, ', '), ''))),
        'It is the app''s own and stays as it is, and the plan copies into it. Change its policies and grants before, if that is not meant.';
    else
      return query select 'notice', 'visibility', relation,
        format('%s %s %s of %s', reader.role, case when present then 'reads' else 'will read' end,
          case when reader.all_columns then 'all columns' else array_to_string(reader.columns, ', ') end,
          case when reader.policies is null then 'all rows' when reader.policies = '{}' then 'no row'
            else format('the rows that %s shows them (policy %s)', case when present then 'it' else source end,
              array_to_string(reader.policies, ', ')) end),
        null::text;
    end if;
  end loop;
  if not said then
    return query select 'notice', 'visibility', relation, 'is read by nobody but its owner and who bypasses grants', null::text;
  end if;
end
$$;
comment on function imago.visibility(text, text, text, jsonb, jsonb) is 'For plans: notices of preflight(), who will read which columns of which rows of a table that show_as shows. Arguments as there, behind the plan''s name. Of a table that is there: who does read it, with a warning where one that the app has made is more visible than its source.

Example: select * from imago.visibility(''avatars'', ''public.avatars'', ''public.users'', ''{"owner_user_id": "id"}'', ''{"bio": ["bio"]}'')';

-- imago.wait_ms
create or replace function imago.wait_ms(governor imago.governor)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Not much longer than a look is good for: what holds the run may be over.
  return least(10000, greatest(imago.setting_number('look_ms'),
    1000 * coalesce(extract(epoch from governor.held_until - clock_timestamp()), 0)))::integer;
end
$$;
comment on function imago.wait_ms(imago.governor) is 'Milliseconds after which a caller of a held run is to ask again.';

-- imago.waiting_answer
create or replace function imago.waiting_answer(plan_name text, direction text)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.work_answer((imago.last_run(plan_name)).id, 'waiting', '{}', '{}', statement_timestamp()) - '{migrated,rolled_back}'::text[]
    || jsonb_build_object('plan', plan_name, 'run', null, 'direction', direction, case direction when 'forward' then 'migrated' else 'rolled_back' end, 0)
    || imago.waiting_fields() || jsonb_build_object('health', jsonb_build_object('share', 0, 'reasons', jsonb_build_array(
      jsonb_build_object('signal', 'read_only', 'level', 2, 'reason', imago.read_only_reason()))))
$$;
comment on function imago.waiting_answer(text, text) is 'What migrate_batch and rollback_batch return while the database is read-only: nothing was done, nothing is lost.';

-- imago.waiting_fields
create or replace function imago.waiting_fields()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('has_more', true, 'reason', imago.read_only_reason(), 'retry_after_ms', imago.setting_number('read_only_wait_ms'))
$$;
comment on function imago.waiting_fields() is 'What an answer with the status waiting says besides: why, and when to call again.';

-- imago.walk_function
create or replace function imago.walk_function(plan_name text, stage integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%s_walk_%s', plan_name, stage)
$$;
comment on function imago.walk_function(text, integer) is 'Name of the trigger function of a table that a plan walks and does not write, in schema imago_undo.';

-- imago.walk_keys
create or replace function imago.walk_keys(relation text, key_name text, key_type text, cursor_key text, upper_key text, size integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  keys text[];
begin
  execute format(
    'select array_agg(k::text order by k) from (select s.%1$I as k from %2$s s where %3$s order by 1 limit $3) next',
    key_name, relation, imago.walk_range(format('s.%I', key_name), key_type, cursor_key, upper_key))
  into keys using cursor_key, upper_key, size;
  return keys;
end
$$;
comment on function imago.walk_keys(text, text, text, text, text, integer) is 'The next keys of a walk by keyset, at most size of them, in order; null at its end. relation is SQL: a table, or a query in brackets.';

-- imago.walk_range
create or replace function imago.walk_range(key_name text, key_type text, cursor_key text, upper_key text)
returns text
language plpgsql
immutable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  return coalesce(nullif(concat_ws(' and ',
    case when cursor_key is not null then format('%s > $1::%s', key_name, key_type) end,
    case when upper_key is not null then format('%s <= $2::%s', key_name, key_type) end), ''), 'true');
end
$$;
comment on function imago.walk_range(text, text, text, text) is 'SQL condition: a key lies behind the cursor $1 and not behind the upper bound $2, each if there is one. key_name is SQL.';

-- imago.walk_size
create or replace function imago.walk_size(size integer, time_left interval)
returns integer
language sql
stable
set search_path = ''
as $$
  select greatest(1, least(size, greatest(
    least(size, 10),
    size * extract(epoch from time_left) * 1000 / imago.setting_number('sub_batch_ms'))))::integer
$$;
comment on function imago.walk_size(integer, interval) is 'Rows of the next piece of a walk: size, which fits sub_batch_ms, less at the end of a call. With no time left it still goes a step forward.';

-- imago.walk_step
create or replace function imago.walk_step(step imago.plan_step)
returns jsonb
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  key constant record := imago.walked_key(step.source);
  max_ms constant integer := 2000;
  deadline timestamptz := imago.call_deadline(max_ms);
  began timestamptz;
  keys text[];
  size integer;
  said text;
  warnings jsonb := '[]';
  done bigint := 0;
begin
  loop
    began := clock_timestamp();
    size := imago.walk_size(step.size, deadline - began);
    begin
      keys := imago.walk_keys(step.source, key.name, key.type, step.cursor_key, null, size);
      if keys is not null then
        perform set_config('search_path', imago.app_search_path(), true);
        execute format('select %I.%I($1::%s[])', step.plan, step.routine, key.type) into said using keys;
        set constraints all immediate;
        perform pg_catalog.set_config('search_path', '', true);
      end if;
    exception
      when lock_not_available or deadlock_detected then
        -- What earlier pieces did stays.
        if done = 0 then
          raise;
        end if;
        exit;
      when query_canceled then
        if size = 1 or not imago.timed_out() then
          raise;
        end if;
        step.size := imago.size_after_timeout(size);
        exit;
    end;
    warnings := warnings || case when said like '{%' then coalesce(said::jsonb -> 'warnings', '[]') else '[]' end;
    if coalesce(cardinality(keys), 0) < size then
      update imago.plan_step s set done_at = clock_timestamp(), cursor_key = null, walked = 0
      where s.plan = step.plan and s.position = step.position;
      return jsonb_build_object('has_more', false, 'warnings', warnings);
    end if;
    done := done + size;
    step.cursor_key := keys[size];
    step.size := imago.next_walk_size(size, extract(epoch from clock_timestamp() - began) * 1000, imago.setting_number('hold_ms'));
    -- Nobody waits for longer than a piece takes.
    exit when clock_timestamp() >= deadline or imago.is_waited_for();
  end loop;
  done := step.walked + done;
  update imago.plan_step s set cursor_key = step.cursor_key, size = step.size, walked = done
  where s.plan = step.plan and s.position = step.position;
  return jsonb_build_object('has_more', true, 'warnings', warnings,
    'percentage', least(99, 100 * done / greatest(1, done, imago.estimated_rows(step.source))));
end
$$;
comment on function imago.walk_step(imago.plan_step) is 'One call''s worth of a step that walks: hands the rows of its source to the routine by key, piece after piece. Goes as far as time allows; the next call goes on behind the last one. Each piece is whole or not at all.';

-- imago.walked_figures
create or replace function imago.walked_figures(
  run imago.run,
  staged imago.plan,
  source_total bigint,
  source_rows bigint,
  aside bigint,
  out total bigint,
  out migrated bigint
)
language plpgsql
stable
set search_path = ''
as $$
declare
  all_rows constant boolean := imago.concerned_rows(staged) = staged.source;
  taken_back constant bigint := (
    select max(r.id) from imago.run r
    where r.plan = run.plan and r.direction = 'rollback' and r.state = 'succeeded' and r.id < run.id);
  moved bigint := imago.moved_by_runs(run.plan, 'forward', staged.stage, run.id - 1, run.id);
  earlier bigint := greatest(0, imago.moved_by_runs(run.plan, 'forward', staged.stage, taken_back, run.id - 1)
    - imago.moved_by_runs(run.plan, 'rollback', staged.stage, taken_back, run.id - 1));
  walk record;
  ahead numeric;
  behind numeric;
begin
  select
      coalesce(sum(l.processed) filter (where l.pass = 'main'), 0) as rows, coalesce(sum(l.moved) filter (where l.pass = 'main'), 0) as moved,
      coalesce(bool_and(l.done) filter (where l.pass = 'main'), false) as is_over, count(*) filter (where not l.done) as unfinished
    into walk
  from imago.lane l where l.run = walked_figures.run.id and l.stage = staged.stage;
  -- What statistics say holds for what lies ahead. What lies behind has been looked at.
  ahead := case when walk.is_over then 0 else source_total * (1 - least(1, walk.rows / greatest(1, source_rows))) end;
  behind := case when all_rows then walk.rows
    -- Of rows that were passed over it is not known why: earlier runs have moved them, or they do not concern the plan.
    else least(walk.rows, walk.moved + aside + earlier, greatest(walk.moved + aside, walk.rows * source_total / greatest(1, source_rows))) end;
  migrated := greatest(earlier + moved, case when all_rows then walk.rows - aside else 0 end);
  total := greatest(ceil(ahead + behind), migrated + aside + walk.unfinished);
end
$$;
comment on function imago.walked_figures(imago.run, imago.plan, bigint, bigint, bigint, out bigint, out bigint) is 'As estimate_figures, of a run forward that has not come to its end. What was moved is counted, what lies ahead of the lanes estimated.';

-- imago.walked_key
create or replace function imago.walked_key(relation text, key_column text default null, out name text, out type text)
language sql
stable
set search_path = ''
as $$
  select c.name, imago.journal_type(a.atttypid, -1)
  from (select coalesce(key_column, (imago.primary_key(relation))[1]) as name) c
  join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(relation) and a.attname = c.name
$$;
comment on function imago.walked_key(text, text, out text, out text) is 'The column that a table is walked by, the first of its primary key unless another is named, and its type.';

-- imago.walked_only
create or replace function imago.walked_only(plan_name text)
returns table (stage integer, relation text, is_installed boolean)
language sql
stable
set search_path = ''
as $$
  select min(s.stage), s.source, exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = pg_catalog.to_regclass(s.source)
      and t.tgfoid = pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.walk_function(plan_name, min(s.stage)))))
  from imago.plan p cross join lateral imago.plan_stages(p) s
  where p.name = plan_name
    and not exists (select from imago.plan_write w where w.plan = plan_name and w.relation = s.source)
  group by s.source
  order by 1
$$;
comment on function imago.walked_only(text) is 'Tables that a plan walks and does not write, each with its first stage, and whether it has its trigger.';

-- imago.walked_rows
create or replace function imago.walked_rows(run imago.run, plan imago.plan, out relation_schema text, out relation_name text, out key_column text)
language sql
stable
set search_path = ''
as $$
  select plan.source_schema, plan.source_table, plan.key_column where run.direction = 'forward'
  union all
  (select 'imago_undo', w.undo_table, 'entity'
   from imago.stage_writes(plan) w
   where run.direction = 'rollback'
   order by w.relation = plan.source desc, w.position
   limit 1)
$$;
comment on function imago.walked_rows(imago.run, imago.plan, out text, out text, out text) is 'What a walk by blocks goes through: the source of a stage; on the way back one undo table. That is the one of the source if it is written. Entities that have no row in it are left to the late pass.';

-- imago.watch_identity
create or replace function imago.watch_identity(plan_name text, relation text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  columns text[] := (imago.find_identity(plan_name, relation)).columns;
begin
  -- Nothing that goes wrong here fails the app's write. Most of its statements write one row, so that is asked first: it takes
  -- a third of the time. Of several rows it is an error.
  return format(
    '%4$s
     begin
       imago_moved := (select %2$s from old_rows o, new_rows n);
     exception
       when cardinality_violation then
         begin
           imago_moved := %3$s;
         exception when others or assert_failure then
           imago_moved := true;
         end;
       when others or assert_failure then
         -- A column is called otherwise by now.
         imago_moved := true;
     end;
     if imago_moved then
       begin
         imago_relation := imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid));
         imago_identity := imago.find_identity(%1$L, imago_relation);
         execute imago.moves_query(imago_identity.columns) into imago_moves;
         perform imago.follow_moves(%1$L, imago_relation, imago_identity, imago_moves);
       exception when others or assert_failure then
         perform imago.lose_rows(%1$L, imago_relation, null, sqlstate);
       end;
     end if;',
    plan_name, imago.each_column('o.%2$I::%5$s is distinct from n.%2$I::%5$s', relation, columns, ' or '),
    imago.identity_changed(relation, columns, true),
    -- What merge moves to another partition comes to no trigger after updates.
    case when (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass) then format(
      'get diagnostics imago_context = pg_context;
       if pg_catalog.current_query() || imago_context ~* ''\mmerge\M'' then
         perform imago.lose_rows(%L, imago.name_of(coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid)), null, null);
       end if;', plan_name) else '' end);
end
$$;
comment on function imago.watch_identity(text, text) is 'PL/pgSQL of a trigger function after updates: has the journal follow what the app changes of find_identity.';

-- imago.whole_estimate
create or replace function imago.whole_estimate(stages jsonb)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select jsonb_build_object(
    'total', sum(greatest(s.pending, s.tried)), 'is_estimate', bool_or(s.pending_is_estimate),
    'seconds', case when bool_and(s.seconds is not null) then sum(s.seconds) end,
    'unknown_stages', coalesce(jsonb_agg(s.stage order by s.stage) filter (where s.seconds is null), '[]'),
    'rows', (
      select coalesce(jsonb_object_agg(r.name, r.rows), '{}')
      from (
        select e.key as name, sum(e.value::numeric) as rows
        from jsonb_array_elements(stages) t cross join lateral jsonb_each_text(t -> 'rows') e
        group by e.key
      ) r))
  from jsonb_to_recordset(stages) s(stage integer, pending bigint, pending_is_estimate boolean, tried bigint, seconds numeric)
$$;
comment on function imago.whole_estimate(jsonb) is 'The estimate of a whole run, from what a dry run says of each stage. Without seconds where a stage was not tried: unknown_stages names it.';

-- imago.work_answer
create or replace function imago.work_answer(run_id bigint, outcome text, totals jsonb, rows jsonb, started timestamptz)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  moved bigint := coalesce((totals ->> 'moved')::bigint, 0);
  processed bigint := coalesce((totals ->> 'processed')::bigint, 0);
  failed bigint := coalesce((totals ->> 'failed')::bigint, 0);
  aside record;
begin
  select r.* into run from imago.run r where r.id = run_id;
  select * into aside from imago.count_set_aside(run.plan, run.direction);
  return jsonb_build_object(
    'run', run.id, 'plan', run.plan, 'direction', run.direction, 'status', outcome, 'state', run.state,
    'processed', processed, case run.direction when 'forward' then 'migrated' else 'rolled_back' end, moved,
    'skipped', greatest(0, processed - moved - failed), 'failed', failed, 'failures_left', aside.failed, 'unreachable', aside.unreachable, 'conflicts', aside.conflicts,
    'has_more', outcome <> 'done',
    'retry_after_ms', case outcome when 'busy' then 50 when 'deferred' then 200 else 0 end,
    'sub_batches', coalesce((totals ->> 'sub_batches')::bigint, 0),
    'rows', rows,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1),
    'error', case when outcome = 'failed' then imago.run_error(run) end,
    'next', case when outcome = 'failed' and run.direction = 'forward'
                  and exists (select from imago.run r where r.caused_by = run.id) then 'rollback' end)
    || case run.direction when 'forward' then jsonb_build_object(
      'checking', case when outcome = 'working' then imago.end_checks_done(run) end,
      'findings', case when outcome = 'done' then run.findings end)
      else jsonb_build_object('forgotten', (
        select count(*) from imago.failure f where f.plan = run.plan and f.kind = 'forgotten')) end;
end
$$;
comment on function imago.work_answer(bigint, text, jsonb, jsonb, timestamptz) is 'The JSON that migrate_batch and rollback_batch return.';

-- imago.work_check
create or replace function imago.work_check(item imago.validation_check, plan imago.plan, deadline timestamptz, may_step boolean)
returns imago.validation_check
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan_check imago.plan_check;
  piece record;
  counted record;
  looked jsonb;
  started timestamptz := clock_timestamp();
  piece_started timestamptz;
  took numeric;
  size integer;
  whole boolean;
  least_time constant interval := '20 ms';
  context text;
  hint text;
  -- Kept aside and taken over as a whole: a cancel may come between any two lines.
  next imago.validation_check := item;
begin
  select c.* into strict plan_check from imago.plan_check c where c.id = item.plan_check;
  if plan_check.routine is not null then
    execute format('select %s($1)', plan_check.routine) into looked using plan;
    item.findings := looked -> 'findings';
    item.found := jsonb_array_length(item.findings);
    item.facts := coalesce(looked -> 'facts', '{}');
    item.checked := 1;
    item.done := true;
    return item;
  end if;

  loop
    piece_started := clock_timestamp();
    size := imago.walk_size(item.size, deadline - piece_started);
    -- One query over whole tables costs a tenth of its pieces, but cannot be stopped half-way: for that it may take twice the time
    -- that is left. What a piece takes at any size always fits, so that calls with hardly any time come to an end.
    whole := not item.in_pieces and imago.estimated_rest_ms(plan_check, item.cursor_key) * interval '1 ms'
      < 2 * greatest(deadline - piece_started, least_time);
    if not whole and not may_step and not item.in_pieces then
      return item;
    end if;
    select * into piece from imago.piece_end(plan_check, item.cursor_key, case when whole then null else size end);
    select * into counted from imago.count_piece(plan_check, item.cursor_key, piece.last_key, 10 - cardinality(item.keys), whole);
    took := extract(epoch from clock_timestamp() - piece_started) * 1000;
    next.found := next.found + counted.amount;
    next.keys := next.keys || counted.keys;
    next.facts := imago.add_counts(next.facts, counted.facts);
    next.checked := next.checked + piece.rows;
    next.cursor_key := piece.last_key;
    next.piece_ms := case when piece.rows <= 1000 then greatest(next.piece_ms, took) else next.piece_ms end;
    next.size := imago.next_walk_size(size, took);
    next.done := piece.last_key is null;
    if next.done then
      next.total := greatest(1, next.checked);
    end if;
    item := next;
    exit when item.done or clock_timestamp() >= deadline;
  end loop;
  return item;
exception
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    if whole then
      item.in_pieces := true;
      return item;
    end if;
    -- Only what had the whole call for itself does not fit one: a single row, or all that a check looks at at once.
    if coalesce(size, 1) = 1 and coalesce(piece_started, started) < statement_timestamp() + 0.25 * current_setting('statement_timeout')::interval then
      item.error := imago.error_json('IM028', plan_check.name, plan.name, coalesce(plan_check.source, plan_check.routine));
      item.done := true;
    end if;
    item.size := imago.size_after_timeout(size);
    return item;
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context, hint = pg_exception_hint;
    item.error := imago.evaluation_error(plan_check, plan, sqlstate, context, sqlerrm, hint);
    item.done := true;
    return item;
end
$$;
comment on function imago.work_check(imago.validation_check, imago.plan, timestamptz, boolean) is 'Works on one check until it is done or the deadline has come. Looks, counts all of it at once where that fits the call, else piece after piece. may_step: a check that does not fit is begun; otherwise it is left to a call that has more time. What goes wrong is its error, not the call''s.';

-- imago.work_fixes
create or replace function imago.work_fixes(validation imago.validation, plan imago.plan, deadline timestamptz)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  items imago.validation_check[];
  item imago.validation_check;
begin
  if validation.dry_run then
    begin
      items := imago.fix_checks(validation, plan, deadline);
      raise exception using errcode = 'IMDRY', message = 'taken back';
    exception when sqlstate 'IMDRY' then null;
    end;
  else
    items := imago.fix_checks(validation, plan, deadline);
  end if;
  foreach item in array items loop
    perform imago.save_check(item);
  end loop;
  return case when exists (select from imago.validation_check i where i.validation = work_fixes.validation.id and not i.done)
    then 'fixing' else 'done' end;
end
$$;
comment on function imago.work_fixes(imago.validation, imago.plan, timestamptz) is 'One call''s worth of fixing; in a dry run all of it is taken back, and only the counts are kept.';

-- imago.work_lane
create or replace function imago.work_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  deadline timestamptz,
  attempts_left integer,
  fixed_size integer,
  is_quiet boolean
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  total imago.moves;
  moves imago.moves;
  ahead record;
  portion imago.lane;
  written bigint := imago.writes_counted(run.plan, own => true);
  started timestamptz;
  lsn pg_lsn;
  governor imago.governor;
  entities_left bigint;
begin
  total := row('time', 0, 0, 0, 0, 0, null, '{}', null, null);
  if lane.pass = 'main' and lane.processed = 0 and lane.cursor_key is null and lane.deferrals = 0 then
    select coalesce(f.batch_size, lane.batch_size), f.entity_ms, f.entity_wal into lane.batch_size, lane.entity_ms, lane.entity_wal from imago.first_size(lane) f;
  end if;
  while not lane.done and total.attempts < attempts_left and (total.attempts = 0 or imago.is_time_left(started, deadline)) loop
    governor := imago.look(plan, run);
    entities_left := imago.entities_left(run, governor) - total.moved - total.failed;
    if total.attempts > 0 and (governor.share = 0 or entities_left <= 0 or imago.is_waited_for()) then
      total.outcome := 'yield';
      exit;
    end if;
    started := clock_timestamp();
    lsn := pg_current_wal_insert_lsn();
    lane.batch_size := least(lane.batch_size, coalesce(fixed_size, 10000));
    portion := lane;
    portion.batch_size := imago.bounded_size(
      case when fixed_size is null then imago.fitting_size(lane, deadline, is_quiet) else lane.batch_size end, lane, governor, entities_left);
    ahead := imago.read_lane(run, plan, portion);
    if ahead.outcome is not null then
      total.outcome := ahead.outcome;
      total.sqlstate := (ahead.error).sqlstate;
      total.error_code := (ahead.error).error_code;
      total.error_detail := (ahead.error).error_detail;
      if ahead.outcome = 'timeout' then
        lane.batch_size := imago.size_after_timeout(lane.batch_size);
      end if;
      exit;
    end if;
    if ahead.keys is null then
      lane.done := true;
      exit;
    end if;

    moves := imago.move_keys(run, plan, ahead.todo, lane.pass, portion.batch_size, deadline, attempts_left - total.attempts, lane.deferrals);
    total.attempts := total.attempts + greatest(1, moves.attempts);
    total.moved := total.moved + moves.moved;
    total.failed := total.failed + moves.failed;
    total.rows := imago.add_counts(total.rows, moves.rows);
    total.sqlstate := moves.sqlstate;
    total.error_code := moves.error_code;
    total.error_detail := moves.error_detail;
    if moves.outcome = 'done' then
      lane.cursor_key := ahead.places[cardinality(ahead.places)];
      total.resolved := total.resolved + cardinality(ahead.keys);
      lane.processed := lane.processed + cardinality(ahead.keys);
      lane.deferrals := 0;
      lane.entity_wal := greatest((pg_current_wal_insert_lsn() - lsn) / greatest(1, ahead.rows), lane.entity_wal / 2);
      -- The rest of a lane says nothing about the size that fits the next one.
      if ahead.rows >= portion.batch_size then
        lane.entity_ms := (coalesce(lane.entity_ms, taken.ms) + taken.ms) / 2 from imago.entity_ms(clock_timestamp() - started, ahead.rows) taken(ms);
        -- What a look has bounded says nothing about the size that the time has room for.
        lane.batch_size := greatest(
          imago.next_size(ahead.rows::integer, clock_timestamp() - started, fixed_size),
          case when portion.batch_size < lane.batch_size and moves.attempts = 1 then lane.batch_size end);
      end if;
    else
      if moves.resolved > 0 then
        lane.processed := lane.processed + array_position(ahead.keys, ahead.todo[moves.resolved]);
        total.resolved := total.resolved + array_position(ahead.keys, ahead.todo[moves.resolved]);
        lane.cursor_key := ahead.places[array_position(ahead.keys, ahead.todo[moves.resolved])];
      end if;
      lane.batch_size := moves.next_size;
      lane.deferrals := case when moves.outcome = 'deferred' then lane.deferrals + 1 else lane.deferrals end;
      total.outcome := moves.outcome;
      exit;
    end if;
  end loop;

  lane.written := lane.written + imago.writes_counted(run.plan, own => true) - written;
  perform imago.save_lane(lane, run.plan, total);
  return total;
end
$$;
comment on function imago.work_lane(imago.run, imago.plan, imago.lane, timestamptz, integer, integer, boolean) is 'Works one lane, whose row the caller holds, until its end or the end of the call''s budget, and moves its cursor.';

-- imago.work_run
create or replace function imago.work_run(run_id bigint, max_ms integer, fixed_size integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '400ms'
as $$
declare
  run imago.run;
  plan imago.plan;
  staged imago.plan;
  lane imago.lane;
  moves imago.moves;
  totals jsonb := '{}';
  rows jsonb := '{}';
  outcome text := 'working';
  indexing text := 'none';
  attempts_left integer := imago.setting_number('max_sub_batches');
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
  others_write boolean;
  governor imago.governor;
begin
  begin
    run := imago.lock_run(run_id, shared => true, wait_ms => imago.setting_number('lock_timeout_ms'));
  exception when sqlstate 'IM016' then
    return imago.work_answer(run_id, 'busy', '{}', '{}', started);
  end;
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  if run.state = 'running' then
    perform imago.expect_visible(run.plan);
    begin
      perform imago.follow_schema(run.plan);
    exception when lock_not_available or deadlock_detected then
      return imago.work_answer(run_id, 'busy', '{}', '{}', started);
    end;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  if run.state = 'running' then
    others_write := imago.are_others_writing(run);
    governor := imago.look(plan, run);
    if governor.share = 0 or imago.entities_left(run, governor) <= 0 then
      return imago.held_answer(run, governor, others_write, started);
    end if;
    deadline := imago.call_deadline((imago.call_budget(run, max_ms, others_write) * sqrt(governor.share))::integer);
  end if;
  if run.state <> 'running' then
    outcome := imago.end_status(run);
  elsif imago.over_budget(run) then
    outcome := imago.stop_run(run, 'IM020');
  elsif run.direction = 'rollback' then
    indexing := imago.keep_late_triggers(run.plan);
    if indexing = 'none' then
      indexing := imago.build_indexes(run, run.started_at + make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0));
    end if;
    outcome := case indexing when 'deferred' then 'deferred' else 'working' end;
    if indexing = 'none' then
      perform imago.expect_indexes(run.plan);
    end if;
  else
    begin
      -- Whose table cannot be locked just now is moved all the same: what its triggers change is journaled beside.
      indexing := case imago.keep_late_triggers(run.plan) when 'built' then 'built' else 'none' end;
    exception when sqlstate 'IM073' then
      null;
    end;
  end if;

  -- Writers wait for what a rollback has built: they should not wait for what it takes back, too.
  while indexing = 'none' and outcome = 'working' and run.state = 'running' and attempts_left > 0
        and (totals = '{}' or imago.is_time_left(started, deadline)) loop
    lane := imago.claim_lane(run.id);
    staged := imago.plan_at_stage(plan, coalesce(lane.stage, 1));
    if imago.close_needless_late_lanes(run, staged, lane) then
      continue;
    end if;
    if lane.run is not null then
      moves := imago.work_lane(run, staged, lane, deadline, attempts_left, fixed_size, is_quiet => not others_write);
    elsif exists (select from imago.lane l where l.run = run.id and not l.done) then
      outcome := 'busy';
      exit;
    elsif totals <> '{}' and exists (select from imago.missing_indexes(run.plan) u where not u.is_small and not u.is_left) then
      -- What has been moved should not stay locked while an index is built that takes a moment.
      exit;
    else
      moves := imago.finish_run(run, plan, deadline, attempts_left);
    end if;
    attempts_left := attempts_left - moves.attempts;
    rows := imago.add_counts(rows, moves.rows);
    totals := imago.add_counts(totals, jsonb_build_object(
      -- What the late pass only looks at has been counted by the main pass; and what has moved on disk is looked at twice.
      'processed', case when lane.pass = 'main' and not lane.by_block or lane.pass = 'late' and run.late_only then moves.resolved else moves.moved + moves.failed end,
      'moved', moves.moved, 'failed', moves.failed, 'sub_batches', moves.attempts));
    case moves.outcome
      when 'busy', 'deferred', 'done', 'failed' then outcome := moves.outcome;
      when 'timeout', 'yield', 'built' then exit;
      when 'incomplete' then
        perform imago.reopen_late_lanes(run.id);
        exit;
      when 'stop' then outcome := imago.stop_run(run, moves.error_code, moves.error_detail);
      when 'budget' then outcome := imago.stop_run(run, 'IM020');
      else null;
    end case;
  end loop;

  if outcome = 'working' and run.state = 'running' and coalesce((totals ->> 'moved')::bigint + (totals ->> 'failed')::bigint, 0) = 0
     and indexing = 'none' and imago.stands_still(run) then
    outcome := imago.stop_run(run, 'IM065', array[run.plan, imago.setting_number('idle_calls')::text, imago.standstill_text(run, plan)]);
  end if;
  if run.state = 'running' then
    -- Once more, for it may have come before we touched a table; now that we have, nobody can change that.
    perform imago.expect_visible(run.plan);
  end if;
  -- The next call is to know by then what this one has written.
  perform pg_catalog.pg_stat_force_next_flush();
  return imago.work_answer(run_id, outcome, totals, rows, started) || jsonb_build_object('others_write', others_write)
    || imago.pause_fields(run.plan, outcome, started);
end
$$;
comment on function imago.work_run(bigint, integer, integer) is 'One call''s worth of work on a run: takes free lanes and moves their entities. Ends when the time budget is used or nothing is left.';

-- imago.work_validation
create or replace function imago.work_validation(validation imago.validation, plan imago.plan, deadline timestamptz, may_step boolean default true)
returns imago.validation
language plpgsql
volatile
set search_path = ''
as $$
declare
  item imago.validation_check;
  before imago.validation_check;
begin
  while validation.state = 'checking' loop
    select i.* into item from imago.validation_check i where i.validation = work_validation.validation.id and not i.done order by i.position limit 1;
    if found then
      before := item;
      item := imago.work_check(item, plan, deadline, may_step);
      exit when item is not distinct from before;
      perform imago.save_check(item);
      may_step := false;
    else
      validation.state := case when imago.reopen_findings(validation.id) then 'fixing' else 'done' end;
    end if;
    exit when clock_timestamp() >= deadline or imago.timed_out();
  end loop;
  if validation.state = 'fixing' and clock_timestamp() < deadline and not imago.timed_out() then
    validation.state := imago.work_fixes(validation, plan, deadline);
  end if;
  update imago.validation v set state = validation.state, updated_at = clock_timestamp() where v.id = work_validation.validation.id;
  return validation;
end
$$;
comment on function imago.work_validation(imago.validation, imago.plan, timestamptz, boolean) is 'Goes on with a validation that the caller holds: checks until everything is counted, then fixes where asked to. may_step: the call is fresh, a check that does not fit it is begun.';

-- imago.write_counters
create or replace function imago.write_counters(relations text[])
returns table (relation text, inserted bigint, updated bigint, deleted bigint)
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select r.relation,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid)), 0)::bigint,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_updated(t.oid)), 0)::bigint,
    coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_deleted(t.oid)), 0)::bigint
  from unnest(relations) r(relation)
  -- Rows of a partitioned table are counted on its partitions.
  cross join lateral (
    select pg_catalog.to_regclass(r.relation)::oid
    union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(r.relation)) p) t(oid)
  group by r.relation;
end
$$;
comment on function imago.write_counters(text[]) is 'Rows of these tables that this transaction has inserted, updated and deleted so far. Counted by the server; take differences.';

-- imago.write_log
create or replace function imago.write_log(
  plan text,
  run bigint,
  level text,
  event text,
  detail jsonb default '{}',
  entity text default null,
  sqlstate text default null
)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.log (plan, run, level, event, detail, entity, sqlstate)
  values (plan, run, level, event, coalesce(detail, '{}'), entity, sqlstate)
$$;
comment on function imago.write_log(text, bigint, text, text, jsonb, text, text) is 'Adds a line to imago.log. Detail holds names, codes and counts, never values of rows.';

-- imago.writers_in_flight
create or replace function imago.writers_in_flight(plan imago.plan)
returns text[]
language sql
volatile
set search_path = ''
as $$
  select coalesce(array_agg(distinct l.virtualtransaction), '{}')
  from pg_catalog.pg_locks l
  where l.mode = 'RowExclusiveLock' and l.granted and l.pid <> pg_catalog.pg_backend_pid()
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and l.relation in (
      select pg_catalog.to_regclass(w.relation) from imago.plan_write w where w.plan = plan.name
      union all
      select pg_catalog.to_regclass(s.source) from imago.plan_stages(plan) s)
$$;
comment on function imago.writers_in_flight(imago.plan) is 'Virtual transactions that have written, or are about to write, the plan''s tables and have not ended.';

-- imago.writes_counted
create or replace function imago.writes_counted(plan text, own boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each call.
as $$
declare
  tables oid[] := (
    select coalesce(array_agg(distinct t.oid), '{}')
    from (select p.source from imago.plan p where p.name = writes_counted.plan
          union select t.source from imago.plan_stage t where t.plan = writes_counted.plan
          union select w.relation from imago.plan_write w where w.plan = writes_counted.plan) r(relation)
    -- Rows of a partitioned table are counted on its partitions.
    cross join lateral (
      select pg_catalog.to_regclass(r.relation)::oid union select p.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(r.relation)) p) t(oid));
begin
  if own then
    return (
      select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t) + pg_catalog.pg_stat_get_xact_tuples_updated(t) + pg_catalog.pg_stat_get_xact_tuples_deleted(t)), 0)
      from unnest(tables) t);
  end if;
  return (
    select coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(t) + pg_catalog.pg_stat_get_tuples_updated(t) + pg_catalog.pg_stat_get_tuples_deleted(t)), 0)
    from unnest(tables) t);
end
$$;
comment on function imago.writes_counted(text, boolean) is 'Rows written in a plan''s tables as the server counts them: by this transaction (own), or by everybody and ever.';

-- imago.writes_now
create or replace function imago.writes_now(plan_name text, renamed boolean)
returns imago.plan_write[]
language plpgsql
stable
set search_path = ''
as $$
declare
  writes imago.plan_write[] := array(select w from imago.plan_write w where w.plan = plan_name and w.undo_table is not null order by w.position);
  write imago.plan_write;
  result imago.plan_write[] := '{}';
begin
  if not renamed then
    return writes;
  end if;
  foreach write in array writes loop
    write.entity_column := case when write.entity_column is not null then imago.name_now(plan_name, write.relation, write.entity_column) end;
    write.key_columns := array(select imago.name_now(plan_name, write.relation, c) from unnest(write.key_columns) with ordinality u(c, n) order by n);
    write.columns := array(select imago.name_now(plan_name, write.relation, c) from unnest(write.columns) with ordinality u(c, n) order by n);
    write.inserted_columns := array(
      select case c when '' then '' else imago.name_now(plan_name, write.relation, c) end from unnest(write.inserted_columns) with ordinality u(c, n) order by n);
    write.relation := imago.name_now(plan_name, write.relation);
    result := result || write;
  end loop;
  return result;
end
$$;
comment on function imago.writes_now(text, boolean) is 'The journaled writes of a plan, with tables and columns as they are called now. Where none was renamed (is_renamed), as declared.';

-- imago.written_tables
create or replace function imago.written_tables(relation text)
returns setof pg_catalog.regclass
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
declare
  named constant pg_catalog.regclass := pg_catalog.to_regclass(relation);
begin
  if exists (select from pg_catalog.pg_class c where c.oid = named and c.relkind <> 'p') then
    return next named;
    return;
  end if;
  -- Foreign tables can have no transition tables, and on others' we can put nothing.
  return query
  select c.oid::pg_catalog.regclass
  from pg_catalog.pg_partition_tree(named) p
  join pg_catalog.pg_class c on c.oid = p.relid
  where c.oid = named or c.relkind in ('r', 'p') and pg_catalog.pg_has_role(c.relowner, 'usage')
  order by c.oid;
end
$$;
comment on function imago.written_tables(text) is 'A table and its partitions of all levels. A statement trigger fires for the one that the statement names, so each has ours.';

-- public.migration_log
create view public.migration_log
with (security_invoker = true)
as
select l.created_at, l.plan, l.run, null::bigint as batch, l.level, l.event, l.entity, l.sqlstate, l.detail
from imago.log l
union all
select
  b.created_at, r.plan, b.run, b.id, 'debug', case when b.path = 'sync' then 'sync' when b.direction = 'rollback' then 'rollback' else 'batch' end, null, null,
  jsonb_build_object('path', b.path, 'size', b.size, 'moved', b.moved, 'ms', b.ms, 'rows', b.rows)
    || case when c.name is null then '{}' else jsonb_build_object('check', c.name) end
from imago.batch b
join imago.run r on r.id = b.run
left join imago.plan_check c on c.id = b.plan_check;
comment on view public.migration_log is 'Imago: what happened, newest last by created_at. Keys, codes and counts, no personal data.';

-- public.cancel_migration
create or replace function public.cancel_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'cancel');
end
$$;
comment on function public.cancel_migration(text) is 'Imago: gives the run up. What was moved stays moved and can still be rolled back.';

-- public.cleanup_migration
create or replace function public.cleanup_migration(
  plan text default 'avatars',
  older_than interval default '30 days',
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.cleanup(plan, older_than, dry_run);
end
$$;
comment on function public.cleanup_migration(text, interval, boolean) is 'Imago: drops the journal and what the log holds of a migration that ended long enough ago; refuses before. It has ended once it is finalized, or taken back whole. Call until has_more is false. bytes_freed says how much space that gives back; with dry_run, would give.';

-- public.dry_run_migration
create or replace function public.dry_run_migration(
  plan text default 'avatars',
  mode text default 'sample',
  batch_size integer default null,
  max_ms integer default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.dry_run(plan, mode, batch_size, max_ms);
end
$$;
comment on function public.dry_run_migration(text, text, integer, integer) is 'Imago: the real run, taken back. mode sample (a part of each stage, at most 2 s), full (everything, in one transaction, at most dry_run_ms) or preflight (looks, locks nothing, and says what the others would lock). max_ms: another time limit. Reports rows, failures, side effects, WAL, rate and an estimate of the whole, and what it has not tried.';

-- public.expect_done
create or replace function public.expect_done(plan text default 'avatars', finalized boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.expect_done(plan, finalized);
end
$$;
comment on function public.expect_done(text, boolean) is 'Imago: raises IM066, with the remedy, unless a plan is done. For the first line of the migration of the app that relies on it. Done is: everything moved and checked, nothing pending, set aside, held or in conflict; with finalized => true, finalized.';

-- public.finalize_migration
create or replace function public.finalize_migration(
  plan text default 'avatars',
  allow_data_loss boolean default false,
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.finalize(plan, allow_data_loss, dry_run);
end
$$;
comment on function public.finalize_migration(text, boolean, boolean) is 'Imago: ends a migration for good, one step a call. Call until has_more is false. Refuses while anything is pending, set aside, held, in conflict or a check fails. From the step on that closes the way back (closed) nothing can be rolled back. dry_run lists the steps and what stands in the way.';

-- public.forget_entity
create or replace function public.forget_entity(plan text, entity text, stage integer default null, still_there boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.forget_entity(plan, entity, stage, still_there);
end
$$;
comment on function public.forget_entity(text, text, integer, boolean) is 'Imago: deletes what the journal of a plan holds of one entity, for an erasure request. Its key goes from failures and log. It cannot go back any more. Refused while it is there and could, unless still_there. stage says whose key it is where several stages know it.';

-- public.get_detailed_migration_progress
create or replace function public.get_detailed_migration_progress(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.progress(plan);
end
$$;
comment on function public.get_detailed_migration_progress(text) is 'Imago: state, phase, counts, percentage, rate a minute, remaining seconds and lanes. Changes nothing. total_is_estimate says when counts are estimates.';

-- public.get_engine_version
create or replace function public.get_engine_version()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object('version', imago.setting_number('engine_version'))
$$;
comment on function public.get_engine_version() is 'Imago: the version of the engine. Commands and edge functions ask for it and refuse one that is newer than they know. Changes nothing.';

-- public.get_migration_performance_stats
create or replace function public.get_migration_performance_stats(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.performance(plan);
end
$$;
comment on function public.get_migration_performance_stats(text) is 'Imago: rates, batch times and sizes, errors, rows and WAL of the newest run that migrates or rolls back. Times are p50, p95, p99 and max; the server''s connections and cache hits are there, too. Fixes of validate_migration have runs of their own. WAL is server-wide while a batch ran.';

-- public.get_migration_report
create or replace function public.get_migration_report(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.report(plan);
end
$$;
comment on function public.get_migration_report(text) is 'Imago: all figures of one moment. What get_detailed_migration_progress, get_migration_statistics and get_migration_performance_stats say.';

-- public.get_migration_statistics
create or replace function public.get_migration_statistics(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.statistics(plan);
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of what is migrated and what is pending, and what the plan counts besides (avatars). Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';

-- public.get_run_history
create or replace function public.get_run_history(plan text default 'avatars', points integer default 200)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.run_history(plan, points);
end
$$;
comment on function public.get_run_history(text, integer) is 'Imago: the runs of a plan over time: rate a minute, batch size and failures at no more than so many points each. Changes nothing.';

-- public.give_up_column
create or replace function public.give_up_column(plan text, relation text, column_name text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.give_up_column(plan, relation, column_name);
end
$$;
comment on function public.give_up_column(text, text, text) is 'Imago: takes a column or table that a plan wrote and that is lost (IM076) out of the journal. A rollback then takes back all else; says how many rows and entities it cannot put back there.';

-- public.inspect_installation
create or replace function public.inspect_installation()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select imago.installation()
$$;
comment on function public.inspect_installation() is 'Imago: what is installed: versions, functions, tables, triggers, undo tables, jobs, and who may use them. imago doctor compares it with what should be. Changes nothing.';

-- public.log_request
create or replace function public.log_request(plan text, action text, caller text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.log_request(plan, action, caller);
end
$$;
comment on function public.log_request(text, text, text) is 'Imago: writes into migration_log who asked for what (event requested). The edge functions call it before they change anything.';

-- public.migrate_batch
create or replace function public.migrate_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default null,
  max_failures text default null,
  on_failure text default null,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate(plan, max_ms, batch_size, dry_run, backup, max_failures, on_failure, run);
end
$$;
comment on function public.migrate_batch(text, integer, integer, boolean, boolean, text, text, bigint) is 'Imago: one call''s worth of a migration, within max_ms milliseconds. Call it, from as many places as you like, until has_more is false. status: preparing, working, done, paused, busy, deferred (wait retry_after_ms), failed (see error) or cancelled. What holds for a run (backup, max_failures, on_failure) is fixed by the call that opens it; left out, it is what the run has. run: the run that the caller drives; no other is opened then.';

-- public.migrate_entity
create or replace function public.migrate_entity(plan text, entity text, stage integer default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate_entity(plan, entity, stage);
end
$$;
comment on function public.migrate_entity(text, text, integer) is 'Imago: moves one entity of any plan now, through the journal (a canary). Also releases one that was rolled back alone. stage says whose key it is where several stages know it.';

-- public.migrate_user_to_avatar_centric
create or replace function public.migrate_user_to_avatar_centric(user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate_entity('avatars', imago.given('user_id', user_id::text));
end
$$;
comment on function public.migrate_user_to_avatar_centric(uuid) is 'Imago: moves one user now, through the journal (a canary). Also releases a user who was rolled back alone.';

-- public.migrate_users_batch
create or replace function public.migrate_users_batch(batch_size integer default 100, batch_offset integer default 0)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.move_window('avatars', batch_size, batch_offset);
end
$$;
comment on function public.migrate_users_batch(integer, integer) is 'Imago: moves the users of one window over all users in key order. So (100,0), (100,100), … works whatever was moved before. next_offset leads to work that is left; has_more false means that none is.';

-- public.pause_migration
create or replace function public.pause_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'pause');
end
$$;
comment on function public.pause_migration(text) is 'Imago: stops after the batches in flight; nothing is lost, resume_migration goes on.';

-- public.prepare_migration
create or replace function public.prepare_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.prepare_step(plan);
end
$$;
comment on function public.prepare_migration(text) is 'Imago: does the next prepare step of a plan (one relation, short lock timeout). Call until has_more is false. migrate_batch does this by itself.';

-- public.resume_migration
create or replace function public.resume_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'resume');
end
$$;
comment on function public.resume_migration(text) is 'Imago: lets a paused run go on; callers of migrate_batch do the work.';

-- public.retry_failed_migrations
create or replace function public.retry_failed_migrations(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.retry_failed(plan);
end
$$;
comment on function public.retry_failed_migrations(text) is 'Imago: forgets that entities failed, were blocked or too large, and lets the run try them again. migrate_batch (or rollback_batch) does the work. Held entities stay held.';

-- public.rollback_all_migrations
create or replace function public.rollback_all_migrations(plan text default 'avatars', force boolean default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.roll_back_all(plan, force);
end
$$;
comment on function public.rollback_all_migrations(text, boolean) is 'Imago: takes a whole migration back in one transaction. For big ones call rollback_batch until has_more is false instead: it commits as it goes and fits the API''s timeout.';

-- public.rollback_batch
create or replace function public.rollback_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  force boolean default null,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.roll_back(plan, max_ms, force, run);
end
$$;
comment on function public.rollback_batch(text, integer, boolean, bigint) is 'Imago: one call''s worth of taking a migration back, within max_ms milliseconds. Call until has_more is false. What people changed since is left alone and reported (conflicts) unless force is true; references are never overridden. Left out, force is what the rollback was begun with. run: the run that the caller drives; no other is opened then.';

-- public.rollback_entity
create or replace function public.rollback_entity(plan text, entity text, force boolean default false, stage integer default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.rollback_entity(plan, entity, force, stage);
end
$$;
comment on function public.rollback_entity(text, text, boolean, integer) is 'Imago: takes one entity of any plan back, whole or not at all, and holds it. No batch moves it again until migrate_entity asks for it. stage says whose key it is where several stages know it.';

-- public.rollback_user_migration
create or replace function public.rollback_user_migration(user_id uuid, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.rollback_entity('avatars', imago.given('user_id', user_id::text), force);
end
$$;
comment on function public.rollback_user_migration(uuid, boolean) is 'Imago: takes one user back, whole or not at all, and holds the user. No batch moves a held user again until migrate_user_to_avatar_centric asks for it. Conflicts name relation, key and reason.';

-- public.schedule_migration
create or replace function public.schedule_migration(
  plan text default 'avatars',
  every interval default '10 seconds',
  finalize boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.schedule(plan, every, finalize);
end
$$;
comment on function public.schedule_migration(text, interval, boolean) is 'Imago: lets pg_cron drive the unfinished run of a plan, or a new one, inside the database. Direct steps are included. With finalize it goes through the steps of finalize instead, to their end. Call again to change the interval. The job removes itself when nothing is left to do.';

-- public.throttle_migration
create or replace function public.throttle_migration(
  plan text default 'avatars',
  hours text default null,
  max_per_second integer default null,
  throttle_query text default null,
  ignore text[] default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.throttle_plan(plan, hours, max_per_second, throttle_query, ignore);
end
$$;
comment on function public.throttle_migration(text, text, integer, text, text[]) is 'Imago: says when and how fast the runs of a plan may work. It holds for every run, whoever drives it, until it is changed. What is left out stays as it is; an empty text, 0 and an empty array take a limit back.

hours: 22:00-06:00, with a time zone behind it if it is not UTC. max_per_second: entities that all callers together move. throttle_query: SQL with one boolean, true while runs shall wait. ignore: signals of imago.signal that the governor does not look at.';

-- public.unschedule_migration
create or replace function public.unschedule_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.end_schedule(plan);
end
$$;
comment on function public.unschedule_migration(text) is 'Imago: pg_cron no longer drives the plan. The run stays as it is; any caller, or schedule_migration, goes on with it.';

-- public.validate_migration
create or replace function public.validate_migration(
  plan text default 'avatars',
  detailed boolean default false,
  fix_issues boolean default false,
  max_ms integer default 5000,
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.validate(plan, detailed, fix_issues, max_ms, dry_run);
end
$$;
comment on function public.validate_migration(text, boolean, boolean, integer, boolean) is 'Imago: checks a migration before, during or after it, about max_ms milliseconds a call. Call until has_more is false. fix_issues mends what can be mended, through the journal; with dry_run it only says what that would write. detailed adds up to ten keys a check.';

-- public.run
create or replace procedure imago.run(
  plan text default 'avatars',
  direction text default 'forward',
  seconds integer default null,
  batch_size integer default null,
  force boolean default null,
  inout answer jsonb default null
)
language plpgsql
-- It commits, so it can have no settings of its own: the search_path is set in each transaction.
as $$
declare
  began constant timestamptz := pg_catalog.clock_timestamp();
  ends timestamptz;
begin
  loop
    perform pg_catalog.set_config('search_path', '', true);
    if direction is null or direction not in ('forward', 'rollback') then
      perform imago.raise_error('IM015', 'direction', coalesce(direction, 'null'), 'forward or rollback');
    end if;
    -- The whole call is one statement: its timeout must not fall into a batch.
    ends := least(began + make_interval(secs => seconds),
      case when current_setting('statement_timeout')::interval > interval '0' then statement_timestamp() + 0.6 * current_setting('statement_timeout')::interval end);
    answer := case direction
      when 'forward' then imago.migrate(plan, 2000, batch_size)
      else imago.roll_back(plan, 2000, force) end;
    commit;
    perform pg_catalog.set_config('search_path', '', true);
    exit when not (answer ->> 'has_more')::boolean or answer ->> 'status' in ('failed', 'paused', 'cancelled') or clock_timestamp() >= ends;
    -- Unlike a tick it waits out what holds the run: whoever called it looks at it.
    perform pg_catalog.pg_sleep(least(
      (answer ->> 'retry_after_ms')::integer / 1000.0, greatest(0, coalesce(extract(epoch from ends - clock_timestamp()), 3600))));
    commit;
  end loop;
end
$$;
comment on procedure imago.run(text, text, integer, integer, boolean, inout jsonb) is 'Migrates a plan, or takes it back, from one connection, with a commit after each batch. Until it is done or the seconds are over. For psql and the SQL editor, as the role postgres. With a statement timeout it ends in time; calling it again goes on.

Example: call imago.run(''avatars'')';

-- public.grants
-- Supabase grants nothing on new objects any more, and older projects grant everything: so both ways are written out.
do $$
declare
  routine regprocedure;
begin
  for routine in select p.oid from pg_proc p where p.pronamespace = 'imago'::regnamespace loop
    execute format('revoke all on routine %s from public, anon, authenticated', routine);
  end loop;
  -- install_check has seen to it that nobody else has functions of these names.
  for routine in
    select p.oid from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.proname in (
        'cancel_migration', 'cleanup_migration', 'dry_run_migration', 'expect_done', 'finalize_migration', 'forget_entity', 'give_up_column',
        'get_detailed_migration_progress', 'get_engine_version', 'get_migration_performance_stats',
        'get_migration_report', 'get_migration_statistics', 'get_run_history', 'inspect_installation', 'log_request', 'migrate_batch',
        'migrate_entity', 'migrate_user_to_avatar_centric', 'migrate_users_batch', 'pause_migration',
        'prepare_migration', 'resume_migration', 'retry_failed_migrations', 'rollback_all_migrations',
        'rollback_batch', 'rollback_entity', 'rollback_user_migration', 'schedule_migration', 'throttle_migration', 'unschedule_migration',
        'validate_migration'
      )
  loop
    perform imago.publish_function(null, routine);
  end loop;
end
$$;
revoke all on public.migration_log from public, anon, authenticated;
grant select on public.migration_log to service_role;
grant usage on schema imago to service_role;
grant select on imago.log, imago.batch, imago.run, imago.plan_check to service_role;
