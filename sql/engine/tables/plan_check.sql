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
comment on column imago.plan_check.stage is 'The stage whose entities the check names and the fix corrects.';
comment on column imago.plan_check.position is 'Order of the checks.';
comment on column imago.plan_check.name is 'Name of the check, in lower case: what answers and the log call it.';
comment on column imago.plan_check.severity is 'error: finalize refuses, and a run says so at its end. warning: to be looked at. manual: a person has to decide.';
comment on column imago.plan_check.phase is 'before: until something is moved; during: from then on; after: once the run has ended.';
comment on column imago.plan_check.meaning is 'What it means when the check finds something.';
comment on column imago.plan_check.remedy is 'What to do then.';
comment on column imago.plan_check.routine is 'A check that looks: a function (imago.plan) returning jsonb. Its findings have object, message and hint each; facts are figures by name.';
comment on column imago.plan_check.source is 'A check that walks: the relation whose key is walked.';
comment on column imago.plan_check.key_column is 'The walked column, indexed and never null; null means the first column of the primary key. The key of a stage that has several columns is written as there: {organization_id,user_id}.';
comment on column imago.plan_check.query is 'SQL listing key (of the source''s type) and entity of what is wrong. Null means that check_query(name) of the plan''s schema writes it, or null where this app has no such columns.';
comment on column imago.plan_check.counts is 'The query lists every row, with the column wrong and numbers that are summed up as facts.';
comment on column imago.plan_check.fix is 'Function of the plan''s schema that corrects all that is wrong with an array of entities. It is set-based, and writes declared columns only.';

insert into imago.plan_check (position, name, severity, phase, meaning, remedy, routine) values
  (1, 'requirements', 'error', 'before', 'Something that the plan needs is missing, of the wrong type or not ours to change.', 'Fix each of these; the migration refuses to start until then.', 'imago.check_requirements'),
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
