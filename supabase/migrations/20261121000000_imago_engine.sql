-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- sql/engine/install_check.sql
-- Refuses before anything changes when a name that Imago needs is already somebody else's.
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
        'get_detailed_migration_progress', 'get_migration_performance_stats', 'prepare_migration',
        'pause_migration', 'resume_migration', 'cancel_migration', 'retry_failed_migrations'
      )
    union all
    -- Every table, view and composite type is a type as well.
    select 2, 'public.migration_log' where pg_catalog.to_regtype('public.migration_log') is not null
    union all
    -- Schema avatars belongs to the plan that the next migration brings.
    select 3, 'schema ' || n.nspname from pg_catalog.pg_namespace n where n.nspname in ('imago', 'imago_undo', 'avatars')
  ) names;
  if taken is not null then
    raise exception using
      errcode = 'IM012',
      message = format('names that Imago needs are taken: %s', taken),
      hint = 'Rename or drop them, then push again. Nothing has been changed.';
  end if;
end
$$;

-- sql/engine/schema.sql
create schema imago;
comment on schema imago is 'Imago: online, reversible data migrations. Call the functions in schema public; nothing here is meant to be written by hand.';
revoke all on schema imago from public;

create schema imago_undo;
comment on schema imago_undo is 'Imago: undo journals, one typed table per plan and relation. Dropping one gives up the way back.';
revoke all on schema imago_undo from public;

-- sql/engine/tables/setting.sql
create table imago.setting (
  name text primary key,
  value text not null,
  note text not null
);
comment on table imago.setting is 'What an operator may tune. Read at each call.';

insert into imago.setting (name, value, note) values
  ('engine_version', '1', 'version of the engine; clients refuse a newer one than they know'),
  ('lanes', '16', 'lanes cut for a large source; several per expected caller, so that early finishers find work'),
  ('lock_timeout_ms', '400', 'longest wait for a row lock inside a batch; below deadlock_timeout, so waiting ends before the detector runs'),
  ('ddl_lock_timeout_ms', '500', 'longest wait for a table lock in a prepare step'),
  ('state_lock_timeout_ms', '4000', 'longest wait of a state transition for batches in flight'),
  ('sub_batch_ms', '800', 'duration that the size of a sub-batch aims at'),
  ('max_sub_batches', '50', 'sub-batches a call; more than 64 subtransactions overflow the server''s cache'),
  ('deferrals', '3', 'deferrals of a lane before the blocked entity is looked for'),
  ('writer_wait_ms', '10000', 'longest wait of the end of a run for writing transactions that were in flight');

-- sql/engine/tables/error.sql
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

-- sql/engine/tables/plan.sql
create table imago.plan (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  title text not null,
  source_schema text not null,
  source_table text not null,
  key_column text not null,
  key_type text check (key_type in ('uuid', 'integer', 'bigint', 'text')),
  prepared_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table imago.plan is 'One row per data migration. The plan''s schema of the same name holds preflight(), apply(keys) and the view pending.';
comment on column imago.plan.key_type is 'Type of the key, found by the first prepare step.';
comment on column imago.plan.prepared_at is 'When the last prepare step was done; null means that a run has to prepare first.';

-- sql/engine/tables/plan_step.sql
create table imago.plan_step (
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  name text not null,
  routine text not null,
  done_at timestamptz,
  primary key (plan, position),
  unique (plan, name)
);
comment on table imago.plan_step is 'Ordered, idempotent prepare steps: one function of the plan''s schema each, run in a transaction of its own.';
comment on column imago.plan_step.routine is 'Name of a function without arguments in the plan''s schema.';

-- sql/engine/tables/plan_write.sql
create table imago.plan_write (
  id integer generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  relation text not null,
  entity_column text,
  inserts boolean not null default false,
  columns text[] not null default '{}',
  points_to jsonb not null default '{}',
  key_columns text[],
  undo_table text,
  inserted_columns text[],
  captured_at timestamptz,
  unique (plan, relation),
  check (inserts or columns <> '{}')
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, and the columns that it sets or that it inserts rows.';
comment on column imago.plan_write.position is 'Order of writing; rollback restores in the opposite order of reference: updates first, inserted rows last.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.inserted_columns is 'Columns whose fingerprint tells whether an inserted row was edited since.';

-- sql/engine/tables/transition.sql
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
  ('fail', 'running', 'failed', 'Work ended with entities set aside, the error budget was used up, or the server or schema is in trouble.'),
  ('retry', 'failed', 'running', 'Someone asked for the set-aside entities to be tried again.'),
  ('supersede', 'pending', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'running', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'paused', 'cancelled', 'A run in the other direction took over.');

-- sql/engine/tables/run.sql
create table imago.run (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  direction text not null check (direction in ('forward', 'rollback')),
  state text not null default 'pending'
    check (state in ('pending', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
  reason text,
  error_code text,
  backup boolean not null default true,
  force boolean not null default false,
  max_failures text,
  on_failure text not null default 'stop' check (on_failure in ('stop', 'rollback')),
  caused_by bigint references imago.run on delete set null,
  late_only boolean not null default false,
  total bigint,
  total_is_estimate boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
);
comment on table imago.run is 'One execution of a plan in one direction. Batches hold its row for share; transitions take it for update.';
comment on column imago.run.caused_by is 'For a rollback that the error budget started: the forward run that failed.';
comment on column imago.run.late_only is 'The plan was walked before: only the late pass is needed.';

create unique index run_unfinished_key on imago.run (plan) where state in ('pending', 'running', 'paused');
comment on index imago.run_unfinished_key is 'At most one unfinished run a plan.';
create index run_plan_idx on imago.run (plan, id);

-- sql/engine/tables/lane.sql
create table imago.lane (
  run bigint not null references imago.run on delete cascade,
  pass text not null check (pass in ('main', 'late')),
  number integer not null,
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
  moved_before bigint,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (run, pass, number)
) with (fillfactor = 50);
comment on table imago.lane is 'Contiguous ranges of the key space, open at both ends, each with its own cursor. Its row lock is the lease.';
comment on column imago.lane.lower_key is 'Exclusive; null means from the first key.';
comment on column imago.lane.upper_key is 'Inclusive; null means to the last key.';
comment on column imago.lane.waits_for is 'On the first late lane: virtual transactions that were writing the plan''s tables when the last lane ended.';
comment on column imago.lane.moved_before is 'On late lanes that are walked once more: what they had moved when that walk began.';

-- sql/engine/tables/batch.sql
create table imago.batch (
  id bigint generated always as identity primary key,
  run bigint not null references imago.run on delete cascade,
  direction text not null,
  path text not null,
  journaled boolean not null,
  xid xid8 not null default pg_current_xact_id(),
  size integer not null,
  moved integer not null default 0,
  ms numeric,
  wal_bytes bigint,
  rows jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
comment on table imago.batch is 'One row per sub-batch, written in its own transaction: what the journal refers to, what statistics are made of, and what proves that the setting imago.batch was not forged (xid).';
create index batch_run_idx on imago.batch (run, id);

-- sql/engine/tables/failure.sql
create table imago.failure (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  run bigint,
  entity text not null,
  kind text not null check (kind in ('failed', 'deferred', 'too_large', 'held', 'conflict')),
  direction text not null default 'forward',
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  row_key text,
  reason text,
  created_at timestamptz not null default clock_timestamp()
);
comment on table imago.failure is 'Entities that are set aside: failed, deferred (blocked by somebody), too_large, held (rolled back alone) or in conflict. Keys and codes only.';
create index failure_entity_idx on imago.failure (plan, entity);
create unique index failure_set_aside_key on imago.failure (plan, entity, direction) where kind in ('failed', 'deferred', 'too_large', 'held');

-- sql/engine/tables/log.sql
create table imago.log (
  id bigint generated always as identity primary key,
  created_at timestamptz not null default clock_timestamp(),
  plan text,
  run bigint,
  batch bigint,
  level text not null check (level in ('debug', 'info', 'warning', 'error')),
  event text not null,
  entity text,
  sqlstate text,
  detail jsonb not null default '{}'
);
comment on table imago.log is 'What happened: transitions, batches, halvings, failures, rollbacks, conflicts. Keys, codes and counts, never values of rows.';
create index log_plan_idx on imago.log (plan, id);

-- sql/engine/types.sql
create type imago.attempt as (
  outcome text,
  batch bigint,
  moved integer,
  rows jsonb,
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  bad_keys text[]
);
comment on type imago.attempt is 'What one sub-batch came to: moved, bad (an entity''s fault), blocked (a lock), timeout or stop.';

create type imago.moves as (
  outcome text,
  resolved integer,
  moved integer,
  failed integer,
  attempts integer,
  next_size integer,
  sqlstate text,
  rows jsonb
);
comment on type imago.moves is 'What a list of keys came to: how many from its start are resolved, and why it ended there (done, time, deferred, timeout, stop, budget).';

-- sql/engine/functions/add_answers.sql
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
comment on function imago.add_answers(jsonb, jsonb) is 'Adds the counts of two answers of imago.work; the rest is the newer one''s.';

-- sql/engine/functions/add_counts.sql
create or replace function imago.add_counts(counts jsonb, more jsonb, factor integer default 1)
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(name, total), '{}')
  from (
    select name, sum(amount) as total
    from (
      select key as name, value::bigint as amount from jsonb_each_text(coalesce(counts, '{}'))
      union all
      select key, factor * value::bigint from jsonb_each_text(coalesce(more, '{}'))
    ) amounts
    group by name
  ) totals
$$;
comment on function imago.add_counts(jsonb, jsonb, integer) is 'Adds two objects of counts by name; factor -1 subtracts.';

-- sql/engine/functions/allowed_events.sql
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

-- sql/engine/functions/allowed_failures.sql
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

-- sql/engine/functions/analyze_journal.sql
create or replace function imago.analyze_journal(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  undo text;
begin
  for undo in select w.undo_table from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
    execute format('analyze imago_undo.%I', undo);
  end loop;
end
$$;
comment on function imago.analyze_journal(text) is 'Statistics for the journal before it is read at large: it may have been empty when autovacuum last looked.';

-- sql/engine/functions/answer.sql
create or replace function imago.answer(run_id bigint, outcome text, totals jsonb, rows jsonb, started timestamptz)
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
  left_aside bigint;
  conflicts bigint;
begin
  select r.* into run from imago.run r where r.id = run_id;
  select count(distinct f.entity) filter (where f.kind not in ('held', 'conflict') and f.direction = run.direction),
         count(distinct f.entity) filter (where f.kind = 'conflict')
    into left_aside, conflicts
  from imago.failure f where f.plan = run.plan;
  return jsonb_build_object(
    'run', run.id, 'plan', run.plan, 'direction', run.direction, 'status', outcome, 'state', run.state,
    'processed', processed, case run.direction when 'forward' then 'migrated' else 'rolled_back' end, moved,
    'skipped', greatest(0, processed - moved - failed), 'failed', failed, 'failures_left', left_aside, 'conflicts', conflicts,
    'has_more', outcome <> 'done',
    'retry_after_ms', case outcome when 'busy' then 50 when 'deferred' then 200 else 0 end,
    'sub_batches', coalesce((totals ->> 'sub_batches')::bigint, 0),
    'rows', rows,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1),
    'error', case when outcome = 'failed' then imago.error_of(run) end,
    'next', case when outcome = 'failed' and run.direction = 'forward'
                  and exists (select from imago.run r where r.caused_by = run.id) then 'rollback' end);
end
$$;
comment on function imago.answer(bigint, text, jsonb, jsonb, timestamptz) is 'The JSON that migrate_batch and rollback_batch return.';

-- sql/engine/functions/attempt_batch.sql
create or replace function imago.attempt_batch(run imago.run, plan imago.plan, keys text[], path text)
returns imago.attempt
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.attempt;
  detail text;
begin
  begin
    set constraints all deferred;
    if run.direction = 'forward' then
      result := imago.move_forward(run, plan, keys, path);
    else
      result := imago.move_back(run, plan, keys, path);
    end if;
    result.outcome := 'moved';
    return result;
  exception
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      result := null;
      result.outcome := 'timeout';
      result.sqlstate := '57014';
    when others or assert_failure then
      result := null;
      get stacked diagnostics
        result.sqlstate = returned_sqlstate, result.constraint_name = constraint_name, result.table_name = table_name,
        result.column_name = column_name, detail = pg_exception_detail;
      result.outcome := case
        when result.sqlstate = 'IM010' then 'bad'
        when left(result.sqlstate, 2) in ('40', '55') then 'blocked'
        when left(result.sqlstate, 2) in ('42', '53', '58', 'XX') then 'stop'
        else 'bad'
      end;
      if result.sqlstate = 'IM010' then
        select array_agg(k) into result.bad_keys from jsonb_array_elements_text(detail::jsonb) k;
      end if;
  end;
  result.moved := 0;
  result.rows := '{}';
  return result;
end
$$;
comment on function imago.attempt_batch(imago.run, imago.plan, text[], text) is 'One sub-batch in a subtransaction: what goes wrong is rolled back and sorted by SQLSTATE. A person''s cancel is raised again.';

-- sql/engine/functions/bad_keys.sql
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
    'select coalesce(array_agg(%1$I::text order by %1$I), ''{}'') from %2$I.%3$I
     where %1$I = any ($1::%4$s[]) and %1$I::text <> all ($2)',
    plan.key_column, plan.source_schema, plan.source_table, plan.key_type)
  into result using segment, free;
  return result;
end
$$;
comment on function imago.bad_keys(imago.plan, text[], imago.attempt) is 'The entities of a failed segment that are known to be the cause; empty when only halving can tell.';

-- sql/engine/functions/batch_open.sql
create or replace function imago.batch_open(capturing boolean default false)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  named text := current_setting('imago.batch', true);
begin
  if named !~ '^[0-9]{1,18}$' then
    return false;
  end if;
  return exists (
    select from imago.batch b
    where b.id = named::bigint
      and b.xid = pg_current_xact_id_if_assigned()
      and b.ms is null
      and (not capturing or (b.journaled and b.direction = 'forward')));
end
$$;
comment on function imago.batch_open(boolean) is 'Whether the setting imago.batch names a batch that this very transaction opened and has not ended. Any role can set a setting; nobody can forge the row.';

-- sql/engine/functions/batch_statistics.sql
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
  ), trace as (
    select jsonb_agg(jsonb_build_object('batch', t.id, 'size', t.size, 'ms', t.ms) order by t.id) as points
    from (select b.id, b.size, b.ms from batches b order by b.id desc limit 100) t
  )
  select jsonb_build_object(
    'users_per_minute_now', round(imago.recent_rate(run_id)),
    'users_per_minute_average', round(60 * sum(b.moved)
      / nullif(extract(epoch from max(b.created_at) - min(b.created_at)) + avg(b.ms) / 1000, 0)),
    'average_ms_per_user', round(sum(b.ms) / nullif(sum(b.moved), 0), 4),
    'batches', count(*),
    'batch_ms', jsonb_build_object(
      'p50', percentile_cont(0.5) within group (order by b.ms), 'p95', percentile_cont(0.95) within group (order by b.ms),
      'p99', percentile_cont(0.99) within group (order by b.ms), 'max', max(b.ms)),
    'batch_size_trace', coalesce((select points from trace), '[]'),
    'rows', coalesce((select jsonb_object_agg(key, amount) from relations), '{}'),
    'wal_bytes_per_batch', round(avg(b.wal_bytes)), 'wal_bytes_per_user', round(sum(b.wal_bytes) / nullif(sum(b.moved), 0)),
    'wal_is_server_wide', true)
  from batches b
$$;
comment on function imago.batch_statistics(bigint) is 'Rates, times, sizes, rows and WAL of the batches of a run.';

-- sql/engine/functions/build_capture.sql
create or replace function imago.build_capture(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  attributes constant text :=
    'returns trigger language plpgsql volatile security definer
     set search_path = '''' set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres''
     set extra_float_digits = 1 set bytea_output = ''hex''';
  -- What a trigger of the app writes may belong to other entities than the batch's: it is marked n (nested) until settled.
  fired constant text := format(
    'perform set_config(%1$L, (coalesce(nullif(current_setting(%1$L, true), ''''), ''0'')::integer
       + case when pg_trigger_depth() > 1 then 2 else 1 end)::text, true);',
    'imago.fired_' || write.id);
  body text;
  touch text[] := imago.touch_columns(write.relation, write.columns);
begin
  if write.inserts then
    body := format(
      'insert into imago_undo.%I (batch, entity, op, %s, print)
       select current_setting(''imago.batch'')::bigint, n.%I, ''i'', %s, %s from new_rows n;',
      write.undo_table,
      imago.undo_list('key_%1$s', write.relation, write.key_columns),
      write.entity_column,
      imago.undo_list('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.undo_print('n', write.inserted_columns));
    execute format('create or replace function imago_undo.%I() %s as %L', write.undo_table || '_insert', attributes,
      format('begin if imago.batch_open(true) then %s %s end if; return null; end', body, fired));
  end if;

  body := '';
  if write.columns <> '{}' then
    body := format(
      'insert into imago_undo.%I (batch, entity, op, %s, %s, %s)
       select current_setting(''imago.batch'')::bigint, n.%I, case when pg_trigger_depth() > 1 then ''n'' else ''u'' end, %s, %s, %s
       from old_rows o join new_rows n on %s where %s;',
      write.undo_table,
      imago.undo_list('key_%1$s', write.relation, write.key_columns),
      imago.undo_list('before_%1$s', write.relation, write.columns),
      imago.undo_list('after_%1$s', write.relation, write.columns),
      write.entity_column,
      imago.undo_list('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.undo_list('o.%2$I::%4$s', write.relation, write.columns),
      imago.undo_list('n.%2$I::%4$s', write.relation, write.columns),
      imago.undo_list('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
      imago.undo_list('o.%2$I::%5$s is distinct from n.%2$I::%5$s', write.relation, write.columns, ' or '));
  end if;
  if write.inserts then
    -- A later write of ours, or of a trigger within our batch, is not somebody's edit: the fingerprint moves along.
    body := body || format(
      ' update imago_undo.%1$I j set print = %2$s from new_rows n where j.entity = n.%3$I and j.op = ''i'' and %4$s;',
      write.undo_table, imago.undo_print('n', write.inserted_columns), write.entity_column,
      imago.undo_list('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '));
  end if;
  execute format('create or replace function imago_undo.%I() %s as %L', write.undo_table || '_update', attributes,
    format('begin if imago.batch_open(true) then %s %s if current_setting(''imago.dry'', true) = ''on'' then %s end if; end if; return null; end',
      body, fired, imago.undeclared_probe(write)));

  if touch <> '{}' then
    body := (select string_agg(format('new.%1$I := old.%1$I;', c), ' ') from unnest(touch) c);
    -- Writes straight to a partition pass by the guard, which stands on the table, so there each row asks.
    if (select c.relkind from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass) = 'p' then
      body := format('if imago.batch_open() then %s end if;', body);
    end if;
    execute format(
      'create or replace function imago_undo.%I() returns trigger language plpgsql volatile security definer set search_path = '''' as %L',
      write.undo_table || '_keep', format('begin %s return new; end', body));
  end if;
end
$$;
comment on function imago.build_capture(imago.plan_write) is 'Generates the trigger functions that capture one declared write, with its columns and types written out.';

-- sql/engine/functions/call_deadline.sql
create or replace function imago.call_deadline(max_ms integer)
returns timestamptz
language sql
volatile
set search_path = ''
as $$
  -- Past 70 % of the caller's statement timeout no new sub-batch begins: the timeout may also fall where nobody can catch it.
  select least(
    clock_timestamp() + make_interval(secs => max_ms / 1000.0),
    case when s.setting::integer > 0 then statement_timestamp() + make_interval(secs => 0.7 * s.setting::integer / 1000.0) end)
  from pg_catalog.pg_settings s where s.name = 'statement_timeout'
$$;
comment on function imago.call_deadline(integer) is 'When a call stops beginning work: its time budget, cut to fit the caller''s statement timeout.';

-- sql/engine/functions/change_state.sql
create or replace function imago.change_state(plan_name text, event text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_run(plan_name);
begin
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'direction', run.direction, 'state', imago.transit(run.id, event));
end
$$;
comment on function imago.change_state(text, text) is 'pause, resume or cancel for the newest run of a plan.';

-- sql/engine/functions/check_column.sql
create or replace function imago.check_column(relation text, name text, types text[])
returns table (severity text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  select 'error', format('%s.%I', relation, name),
    case when a.attname is null then 'column is missing' else format('has type %s', pg_catalog.format_type(a.atttypid, null)) end,
    format('The plan needs it as %s.', array_to_string(types, ' or '))
  from (select pg_catalog.to_regclass(relation) as oid) r
  left join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attname = name and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_type t on t.oid = a.atttypid
  -- The journal keeps enums as text, and yet they are none: a text does not fit into one.
  where r.oid is not null
    and (a.attname is null or t.typcategory = 'E' or imago.undo_type(a.atttypid, -1) <> all (types))
$$;
comment on function imago.check_column(text, text, text[]) is 'What is wrong with a column that a plan needs: missing, or of another type.';

-- sql/engine/functions/check_journal.sql
create or replace function imago.check_journal(plan_name text)
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
    and exists (select from imago.batch b where b.run = r.id and b.moved > 0);
  if bare is not null then
    perform imago.raise_error('IM009', plan_name, bare::text);
  end if;
end
$$;
comment on function imago.check_journal(text) is 'Refuses to roll back what was moved without a journal (IM009).';

-- sql/engine/functions/check_options.sql
create or replace function imago.check_options(backup boolean, max_failures text, on_failure text, dry_run boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if backup is null then
    perform imago.raise_error('IM004', 'backup');
  end if;
  if dry_run is null then
    perform imago.raise_error('IM004', 'dry_run');
  end if;
  if coalesce(on_failure, '') not in ('stop', 'rollback') then
    perform imago.raise_error('IM015', 'on_failure', coalesce(on_failure, 'null'), 'stop or rollback');
  end if;
  if max_failures !~ '^[0-9]{1,9}$' and max_failures !~ '^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$' then
    perform imago.raise_error('IM015', 'max_failures', max_failures, 'a number, or a percentage such as 2%');
  end if;
  if on_failure = 'rollback' and not backup then
    perform imago.raise_error('IM015', 'on_failure', on_failure, 'stop, when backup is false: without a journal there is no way back');
  end if;
end
$$;
comment on function imago.check_options(boolean, text, text, boolean) is 'Refuses options of a run that make no sense (IM004, IM015).';

-- sql/engine/functions/check_relation.sql
create or replace function imago.check_relation(relation text, must_exist boolean default true)
returns table (severity text, object text, message text, hint text)
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
      return query select 'error', relation, 'table is missing', 'Create it, or use a plan that fits this app.';
    end if;
    return;
  end if;
  if class.relkind not in ('r', 'p') or class.relispartition then
    return query select 'error', relation, 'is not a table or a partitioned parent',
      'Views, foreign tables and single partitions cannot be migrated; name the table itself.';
    return;
  end if;
  if not pg_catalog.pg_has_role(class.relowner, 'usage') then
    return query select 'error', relation, format('is owned by %s, not by %s', class.relowner::pg_catalog.regrole, current_user),
      format('alter table %s owner to %I, or install Imago as its owner.', relation, current_user);
  end if;
  if imago.primary_key(relation) is null then
    return query select 'error', relation, 'has no primary key', 'Add one: the journal names rows by it.';
  end if;
end
$$;
comment on function imago.check_relation(text, boolean) is 'What keeps a relation from being migrated: missing, not a table, owned by somebody else, no primary key.';

-- sql/engine/functions/check_settings.sql
create or replace function imago.check_settings(run imago.run, backup boolean, max_failures text, on_failure text)
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
comment on function imago.check_settings(imago.run, boolean, text, text) is 'What holds for a run was fixed by the call that created it; a call that says otherwise gets IM007.';

-- sql/engine/functions/check_size.sql
create or replace function imago.check_size(batch_size integer, max_ms integer default 2000)
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
comment on function imago.check_size(integer, integer) is 'Refuses sizes and budgets outside their range (IM002, IM004, IM015).';

-- sql/engine/functions/check_source.sql
create or replace function imago.check_source(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  source text := format('%I.%I', plan.source_schema, plan.source_table);
begin
  if pg_catalog.to_regclass(source) is null then
    perform imago.raise_error('IM006', plan.name, source || ' table is missing');
  end if;
end
$$;
comment on function imago.check_source(imago.plan) is 'Refuses to count what is not there (IM006).';

-- sql/engine/functions/clear_set_aside.sql
create or replace function imago.clear_set_aside(run imago.run, keys text[])
returns void
language sql
volatile
set search_path = ''
as $$
  delete from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.entity = any (keys)
    and f.kind in ('failed', 'deferred', 'too_large')
    and exists (select from imago.failure any_failure where any_failure.plan = run.plan)
$$;
comment on function imago.clear_set_aside(imago.run, text[]) is 'Forgets failures of entities that have been moved since.';

-- sql/engine/functions/close_lanes.sql
create or replace function imago.close_lanes(run_id bigint)
returns void
language sql
volatile
set search_path = ''
as $$
  with free as (
    select l.run, l.pass, l.number from imago.lane l where l.run = run_id and not l.done for update skip locked
  )
  update imago.lane l set done = true, updated_at = clock_timestamp()
  from free f
  where l.run = f.run and l.pass = f.pass and l.number = f.number
$$;
comment on function imago.close_lanes(bigint) is 'Closes lanes of a run that windows have walked to the end; lanes that somebody holds are theirs to close.';

-- sql/engine/functions/count_pending.sql
create or replace function imago.count_pending(plan imago.plan)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  result bigint;
begin
  if pg_catalog.to_regclass(format('%I.pending', plan.name)) is null then
    execute format('select count(*) from %I.%I', plan.source_schema, plan.source_table) into result;
  else
    execute format('select count(*) from %I.pending', plan.name) into result;
  end if;
  return result;
end
$$;
comment on function imago.count_pending(imago.plan) is 'Entities still to be moved, counted; before the plan is prepared, all of them.';

-- sql/engine/functions/count_source.sql
create or replace function imago.count_source(plan imago.plan, out total bigint, out is_estimate boolean)
language plpgsql
stable
set search_path = ''
as $$
begin
  total := imago.estimated_rows(format('%I.%I', plan.source_schema, plan.source_table));
  is_estimate := total > 100000;
  if not is_estimate then
    execute format('select count(*) from %I.%I', plan.source_schema, plan.source_table) into total;
  end if;
end
$$;
comment on function imago.count_source(imago.plan) is 'Entities of the plan: counted up to about 100,000, estimated (and marked so) above.';

-- sql/engine/functions/cut_lanes.sql
create or replace function imago.cut_lanes(run imago.run, plan imago.plan, size integer default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted integer := least(
    imago.setting_number('lanes'),
    greatest(1, imago.estimated_rows(format('%I.%I', plan.source_schema, plan.source_table)) / 2000));
  bounds text[];
begin
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

  insert into imago.lane (run, pass, number, lower_key, upper_key, batch_size)
  select run.id, pass, n, bounds[n - 1], bounds[n], coalesce(size, case pass when 'main' then 100 else 2000 end)
  from unnest(array['main', 'late']) pass
  cross join generate_series(1, coalesce(cardinality(bounds), 0) + 1) n
  where pass = 'late' or not run.late_only;
end
$$;
comment on function imago.cut_lanes(imago.run, imago.plan, integer) is 'Cuts the key space into lanes by the statistics of the source, open at both ends; each range once for the main and once for the late pass.';

-- sql/engine/functions/dry_run.sql
create or replace function imago.dry_run(plan_name text, mode text, batch_size integer, max_ms integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  problems jsonb;
  result jsonb;
begin
  if coalesce(mode, '') not in ('sample', 'full', 'preflight') then
    perform imago.raise_error('IM015', 'mode', coalesce(mode, 'null'), 'sample, full or preflight');
  end if;
  select coalesce(jsonb_agg(to_jsonb(p)), '[]') into problems from imago.preflight(imago.find_plan(plan_name)) p;
  if mode = 'preflight' then
    return jsonb_build_object('plan', plan_name, 'mode', mode, 'dry_run', true, 'status', 'done', 'has_more', false, 'problems', problems);
  end if;
  if jsonb_path_exists(problems, '$[*] ? (@.severity == "error")') then
    perform imago.raise_error('IM006', plan_name, (
      select string_agg(format('%s %s', p ->> 'object', p ->> 'message'), '; ')
      from jsonb_array_elements(problems) p where p ->> 'severity' = 'error'));
  end if;

  begin
    result := imago.rehearse(plan_name, mode, batch_size, max_ms);
    raise exception using errcode = 'IMDRY', message = 'taken back';
  exception
    when sqlstate 'IMDRY' then null;
    when query_canceled then
      if not imago.timed_out() then
        raise;
      end if;
      perform imago.raise_error('IM018');
  end;
  if result -> 'undeclared' <> '[]' then
    perform imago.raise_error('IM014', plan_name, (select string_agg(u, ', ') from jsonb_array_elements_text(result -> 'undeclared') u));
  end if;
  return result || jsonb_build_object('problems', problems);
end
$$;
comment on function imago.dry_run(text, text, integer, integer) is 'Rehearses a plan in a subtransaction and takes it back; leaves no rows (sequence gaps and dead tuples it does leave).';

-- sql/engine/functions/edited_rows.sql
create or replace function imago.edited_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason text)
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
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null order by w.position loop
    key_join := imago.undo_list('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    if write.columns <> '{}' then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''changed''::text
         from (%3$s) j join %4$s t on %5$s where (%6$s) and (%7$s)',
        write.relation, imago.undo_list('j.key_%1$s', write.relation, write.key_columns),
        imago.undo_rows(write, plan, keys), write.relation, key_join,
        imago.undo_list('t.%2$I::%5$s is distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' or '),
        imago.undo_list('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '))
      using keys;
    end if;
    if write.inserts then
      return query execute format(
        'select j.entity::text, %1$L::text, concat_ws('','', %2$s), ''edited''::text
         from imago_undo.%3$I j join %4$s t on %5$s
         where j.entity = any ($1::%6$s[]) and j.op = ''i'' and j.print is distinct from %7$s',
        write.relation, imago.undo_list('j.key_%1$s', write.relation, write.key_columns),
        write.undo_table, write.relation, key_join, plan.key_type, imago.undo_print('t', write.inserted_columns))
      using keys;
    end if;
  end loop;
end
$$;
comment on function imago.edited_rows(imago.plan, text[]) is 'Rows of these entities that no longer hold what Imago wrote: a declared column changed, or an inserted row was edited.';

-- sql/engine/functions/ensure_statistics.sql
create or replace function imago.ensure_statistics(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
begin
  select p.* into plan from imago.plan p where p.name = plan_name;
  if not exists (
    select from pg_catalog.pg_stats s
    where s.schemaname = plan.source_schema and s.tablename = plan.source_table and s.attname = plan.key_column) then
    execute format('analyze %I.%I', plan.source_schema, plan.source_table);
  end if;
end
$$;
comment on function imago.ensure_statistics(text) is 'Analyzes the source where it never was: lanes are cut by its statistics.';

-- sql/engine/functions/entity_answer.sql
create or replace function imago.entity_answer(plan_name text, entity text, attempt imago.attempt, rolled_back boolean, started timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'rolled_back', rolled_back,
    'restored', coalesce((select jsonb_object_agg(key, value) from jsonb_each(attempt.rows) where key !~ ':(removed|detached)$'), '{}'),
    'removed', coalesce((select jsonb_object_agg(left(key, -8), value) from jsonb_each(attempt.rows) where key ~ ':removed$'), '{}'),
    'detached', coalesce((select jsonb_object_agg(left(key, -9), value) from jsonb_each(attempt.rows) where key ~ ':detached$'), '{}'),
    'conflicts', coalesce((
      select jsonb_agg(jsonb_build_object('relation', f.table_name, 'key', f.row_key, 'reason', f.reason) order by f.id)
      from imago.failure f
      where f.plan = plan_name and f.entity = entity_answer.entity and f.kind = 'conflict' and not rolled_back), '[]'),
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1))
$$;
comment on function imago.entity_answer(text, text, imago.attempt, boolean, timestamptz) is 'The JSON that rollback_user_migration returns.';

-- sql/engine/functions/entity_exists.sql
create or replace function imago.entity_exists(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  result boolean;
begin
  execute format('select exists (select from %I.%I where %I = $1::%s)', plan.source_schema, plan.source_table, plan.key_column, plan.key_type)
    into result using entity;
  return result;
end
$$;
comment on function imago.entity_exists(imago.plan, text) is 'Whether the source has a row with this key.';

-- sql/engine/functions/entity_run.sql
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
    run := imago.share_run(run.id);
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

-- sql/engine/functions/error_of.sql
create or replace function imago.error_of(run imago.run)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  error_of_code text := case when run.error_code ~ '^IM' then run.error_code else 'IM024' end;
  details text[];
  result jsonb;
begin
  details := case error_of_code
    when 'IM020' then regexp_match(run.reason, '^(\d+) of (\d+)')
    when 'IM021' then array[run.reason]
    else array[run.plan]
  end;
  select jsonb_build_object(
      'code', e.code, 'message', format(e.message, variadic details || run.plan), 'hint', format(e.hint, variadic details || run.plan))
    into result
  from imago.error e where e.code = error_of_code;
  return result;
end
$$;
comment on function imago.error_of(imago.run) is 'Why a run failed, as code, message and hint.';

-- sql/engine/functions/estimate_pending.sql
create or replace function imago.estimate_pending(run imago.run, total bigint)
returns bigint
language sql
stable
set search_path = ''
as $$
  select case
    when run.id is null then total
    when run.state in ('succeeded', 'failed') and coalesce(run.error_code, 'set_aside') = 'set_aside'
      then (select count(distinct f.entity) from imago.failure f where f.plan = run.plan and f.direction = 'forward')
    when run.late_only then (select count(distinct f.entity) from imago.failure f where f.plan = run.plan and f.direction = 'forward')
    else greatest(
      total - (select coalesce(sum(l.processed), 0) - coalesce(sum(l.failed), 0) from imago.lane l where l.run = run.id and l.pass = 'main'),
      (select count(*) from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done))
  end::bigint
$$;
comment on function imago.estimate_pending(imago.run, bigint) is 'Entities still to be moved, from the counters of the lanes; at least one for each unfinished lane.';

-- sql/engine/functions/estimated_rows.sql
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
comment on function imago.estimated_rows(text) is 'Rows of a table by its statistics; partitioned tables by their leaves.';

-- sql/engine/functions/explained_by_trigger.sql
create or replace function imago.explained_by_trigger(plan_name text, relation text, column_name text default null)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Tables reachable by triggers: those that the plan writes, then those that functions of their triggers name.
  with recursive reached as (
    select w.relation::pg_catalog.regclass as oid from imago.plan_write w where w.plan = plan_name
    union
    select c.oid
    from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal and t.tgname !~ '^[!~]imago_'
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_class c on c.relkind in ('r', 'p') and p.prosrc ~* ('\m' || regexp_replace(c.relname, '\W', '.', 'g') || '\M')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname !~ '^(pg_|information_schema|imago)'
  )
  select exists (
    select from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and t.tgname !~ '^[!~]imago_'
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where (t.tgisinternal and column_name is null
           and exists (select from pg_catalog.pg_constraint c where c.oid = t.tgconstraint and c.conrelid = relation::pg_catalog.regclass
                       and (c.confupdtype in ('c', 'n', 'd') or c.confdeltype in ('c', 'n', 'd'))))
       or (not t.tgisinternal and (
             p.prosrc ~* ('\m' || regexp_replace((select c.relname from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass), '\W', '.', 'g') || '\M')
               and column_name is null
             or column_name is not null and r.oid = relation::pg_catalog.regclass
               and p.prosrc ~* ('\m' || regexp_replace(column_name, '\W', '.', 'g') || '\M')
             or p.prolang not in (select l.oid from pg_catalog.pg_language l where l.lanname in ('plpgsql', 'sql')))))
$$;
comment on function imago.explained_by_trigger(text, text, text) is 'Whether a trigger of the app, reached from the tables that the plan writes, names this table (or column), or cannot be read.';

-- sql/engine/functions/find_conflicts.sql
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
  if not run.force then
    select coalesce(jsonb_agg(to_jsonb(e)), '[]') into conflicts from imago.edited_rows(plan, keys) e;
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
comment on function imago.find_conflicts(imago.run, imago.plan, text[]) is 'What keeps entities from going back, as an array of entity, relation, row_key, reason. An entity that stays keeps what it refers to, hence the loop.';

-- sql/engine/functions/find_key_type.sql
create or replace function imago.find_key_type(plan_name text)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.plan p set key_type = case when c.kept like 'character varying%' then 'text' else c.kept end
  from imago.plan s
  cross join lateral imago.undo_columns(format('%I.%I', s.source_schema, s.source_table), array[s.key_column]) c
  where p.name = plan_name and s.name = plan_name
$$;
comment on function imago.find_key_type(text) is 'Notes the type by which a plan''s entities are keyed.';

-- sql/engine/functions/find_plan.sql
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
comment on function imago.find_plan(text) is 'The plan of this name, or IM001.';

-- sql/engine/functions/finish_run.sql
create or replace function imago.finish_run(run imago.run, plan imago.plan, deadline timestamptz, attempts_left integer)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
  todo text[];
  left_aside bigint;
  result imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}');
begin
  -- The first late lane is the lease of the end: one caller at a time.
  select l.* into lane from imago.lane l where l.run = run.id and l.pass = 'late' and l.number = 1 for update skip locked;
  if not found then
    result.outcome := 'busy';
    return result;
  end if;
  if lane.waits_for is null then
    lane.waits_for := imago.writers_in_flight(plan);
    lane.waits_since := clock_timestamp();
    update imago.lane l set waits_for = lane.waits_for, waits_since = lane.waits_since
    where l.run = run.id and l.pass = 'late' and l.number = 1;
  end if;
  if run.direction = 'forward' and lane.waits_for && imago.writers_in_flight(plan)
     and clock_timestamp() < lane.waits_since + make_interval(secs => imago.setting_number('writer_wait_ms') / 1000.0) then
    result.outcome := 'deferred';
    return result;
  end if;

  if not imago.proved_by_walk(lane) then
    begin
      todo := imago.left_over(run, plan, 1000);
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        result.outcome := 'incomplete';
        return result;
      when syntax_error_or_access_rule_violation then
        result.outcome := 'stop';
        result.sqlstate := sqlstate;
        return result;
    end;
  end if;
  if todo <> '{}' then
    result := imago.move_keys(run, plan, todo, 'finish', 1, deadline, attempts_left, lane.deferrals);
    update imago.lane l set
      moved = l.moved + result.moved, failed = l.failed + result.failed, processed = l.processed + result.moved,
      deferrals = case result.outcome when 'deferred' then l.deferrals + 1 else 0 end, updated_at = clock_timestamp()
    where l.run = run.id and l.pass = 'late' and l.number = 1;
    result.outcome := case when result.outcome in ('done', 'time') then 'working' else result.outcome end;
    return result;
  end if;

  if run.direction = 'rollback' and not imago.remove_capture(plan) then
    result.outcome := 'deferred';
    return result;
  end if;
  perform imago.forget_moved(run, plan);
  select count(distinct f.entity) into left_aside
  from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.kind <> 'held';
  begin
    if left_aside > 0 then
      perform imago.transit(run.id, 'fail', format('%s entities set aside', left_aside), 'set_aside');
    else
      perform imago.transit(run.id, 'succeed');
    end if;
    result.outcome := 'done';
  exception when sqlstate 'IM016' then
    result.outcome := 'busy';
  end;
  return result;
end
$$;
comment on function imago.finish_run(imago.run, imago.plan, timestamptz, integer) is 'Ends a run whose lanes are done: waits for writers in flight (bounded), proves that nothing is left and moves what is, then succeeds or fails. Outcome incomplete: looking for what is left does not fit a call.';

-- sql/engine/functions/first_size.sql
create or replace function imago.first_size(lane imago.lane)
returns integer
language sql
stable
set search_path = ''
as $$
  select coalesce((
    select l.batch_size from imago.lane l
    where l.run = lane.run and l.pass = lane.pass and l.processed > 0
    order by l.updated_at desc limit 1), lane.batch_size)
$$;
comment on function imago.first_size(imago.lane) is 'Size of a lane''s first sub-batch: what the lane that was worked last has come to.';

-- sql/engine/functions/forget_moved.sql
create or replace function imago.forget_moved(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  aside text[];
begin
  select array_agg(f.entity) into aside
  from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.kind in ('failed', 'deferred', 'too_large');
  if run.direction = 'forward' and aside is not null then
    perform imago.clear_set_aside(run, array(
      select k from unnest(aside) k where k <> all (imago.pending_keys(plan, aside))));
  end if;
end
$$;
comment on function imago.forget_moved(imago.run, imago.plan) is 'Forgets set-aside entities that are not pending any more: moved by the caller that had them locked, or deleted by the app.';

-- sql/engine/functions/forward_run.sql
create or replace function imago.forward_run(plan_name text, backup boolean, max_failures text, on_failure text)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan_name);
begin
  if run.id is null then
    run := imago.last_run(plan_name);
    if run.direction = 'forward' and run.state = 'failed' and run.error_code <> 'set_aside' then
      return run;
    end if;
    -- A call that began before the run ended was meant for that run.
    if run.direction = 'forward' and run.state = 'succeeded' and run.finished_at > statement_timestamp() then
      return run;
    end if;
    run := imago.open_run(plan_name, 'forward', backup, max_failures, on_failure);
  end if;
  if run.direction = 'rollback' then
    if run.caused_by is null then
      perform imago.raise_error('IM017', plan_name, plan_name);
    end if;
    return run;
  end if;
  perform imago.check_settings(run, backup, max_failures, on_failure);
  return run;
end
$$;
comment on function imago.forward_run(text, boolean, text, text) is 'The run that a forward call works on: the unfinished one, a failed one that waits for a decision, the rollback that an error budget started, or a new one.';

-- sql/engine/functions/gate.sql
create or replace function imago.gate(run_id bigint)
returns bigint
language sql
immutable
set search_path = ''
as $$
  select pg_catalog.hashtextextended('imago run ' || run_id, 0)
$$;
comment on function imago.gate(bigint) is 'Key of the advisory lock that stands before a run''s row: batches take it shared, transitions exclusive, first come, first served.';

-- sql/engine/functions/guard_batch.sql
create or replace function imago.guard_batch()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if not imago.batch_open() then
    perform set_config('imago.batch', '', true);
  end if;
  return null;
end
$$;
comment on function imago.guard_batch() is 'Statement trigger: forgets a forged imago.batch before any other trigger trusts it.';

-- sql/engine/functions/has_journal.sql
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
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null loop
    execute format('select exists (select from imago_undo.%I j where j.entity = $1::%s)', write.undo_table, plan.key_type)
      into found_one using entity;
    exit when found_one;
  end loop;
  return found_one;
end
$$;
comment on function imago.has_journal(imago.plan, text) is 'Whether anything was written for this entity that has not been taken back.';

-- sql/engine/functions/index_warning.sql
create or replace function imago.index_warning(relation text, name text, purpose text)
returns table (severity text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  select 'warning', format('%s.%I', relation, name), format('has no index; %s reads the whole table for each batch', purpose),
    format('create index concurrently on %s (%I);', relation, name)
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = name
    and not exists (
      select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum and i.indisvalid)
$$;
comment on function imago.index_warning(text, text, text) is 'A warning with the statement to run, where a column that the plan searches has no index.';

-- sql/engine/functions/install_capture.sql
create or replace function imago.install_capture(write_id integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  touch text[];
  prefix text;
begin
  select w.* into strict write from imago.plan_write w where w.id = write_id;
  prefix := write.undo_table;

  execute format(
    'create or replace trigger "!imago_guard" before insert or update on %s for each statement
       when (current_setting(''imago.batch'', true) <> '''') execute function imago.guard_batch()', write.relation);

  perform imago.build_capture(write);
  if write.inserts then
    execute format(
      'create or replace trigger "~imago_insert" after insert on %s referencing new table as new_rows for each statement
         when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()', write.relation, prefix || '_insert');
  end if;
  execute format(
    'create or replace trigger "~imago_update" after update on %s referencing old table as old_rows new table as new_rows for each statement
       when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()', write.relation, prefix || '_update');

  touch := imago.touch_columns(write.relation, write.columns);
  if touch <> '{}' then
    execute format(
      'create or replace trigger "~imago_keep" before update on %s for each row
         when (current_setting(''imago.batch'', true) <> '''') execute function imago_undo.%I()', write.relation, prefix || '_keep');
  end if;
  update imago.plan_write w set captured_at = clock_timestamp() where w.id = write_id;
end
$$;
comment on function imago.install_capture(integer) is 'Installs the guard, capture and keep triggers of one declared write on its relation.';

-- sql/engine/functions/install_undo.sql
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
  undo := coalesce(write.undo_table, imago.undo_name(write.plan, write.relation));

  update imago.plan_write w set
    undo_table = undo,
    key_columns = imago.primary_key(write.relation),
    inserted_columns = case when write.inserts then imago.stored_columns(write.relation) else '{}' end
  where w.id = write_id
  returning * into write;

  select string_agg(format('key_%s %s %s not null', c.ordinal, c.kept, c.collated), ', ') into definition
  from imago.undo_columns(write.relation, write.key_columns) c;
  definition := definition || coalesce((
    select ', ' || string_agg(format('before_%1$s %2$s, after_%1$s %2$s', c.ordinal, c.kept), ', ')
    from imago.undo_columns(write.relation, write.columns) c), '');
  select concat_ws(' ', c.kept, c.collated) into entity_type
  from imago.undo_columns(format('%I.%I', plan.source_schema, plan.source_table), array[plan.key_column]) c;

  execute format(
    'create table if not exists imago_undo.%I (batch bigint not null, entity %s not null, op "char" not null, %s, print bigint)',
    undo, entity_type, definition);
  execute format('create index if not exists %I on imago_undo.%I (entity)', left(undo, 50) || '_entity_idx', undo);
  execute format('create index if not exists %I on imago_undo.%I (batch) where op = ''n''', left(undo, 50) || '_nested_idx', undo);
  execute format('revoke all on imago_undo.%I from public', undo);
  execute format('comment on table imago_undo.%I is %L', undo, format(
    'Undo journal of plan %s for %s: before and after of %s. Rows whose op is i were inserted, print being their fingerprint; u were updated.',
    write.plan, write.relation, coalesce(nullif(array_to_string(write.columns, ', '), ''), 'inserted rows')));
end
$$;
comment on function imago.install_undo(integer) is 'Generates the typed undo table of one declared write.';

-- sql/engine/functions/last_run.sql
create or replace function imago.last_run(plan text)
returns imago.run
language sql
stable
set search_path = ''
as $$
  select r.* from imago.run r where r.plan = last_run.plan order by r.id desc limit 1
$$;
comment on function imago.last_run(text) is 'The newest run of the plan, or null.';

-- sql/engine/functions/left_over.sql
create or replace function imago.left_over(run imago.run, plan imago.plan, most integer)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text;
  keys text[];
begin
  if run.direction = 'forward' then
    source := format('select entity from %I.pending', plan.name);
  else
    select coalesce(string_agg(format('select entity from imago_undo.%I', w.undo_table), ' union '), 'select null::text as entity where false')
      into source
    from imago.plan_write w where w.plan = plan.name and w.undo_table is not null;
  end if;
  execute format(
    'select coalesce(array_agg(entity::text order by entity), ''{}'') from (
       select entity from (%s) l where entity::text not in (select imago.set_aside_keys($1, $2)) limit $3) first_ones', source)
  into keys using plan.name, run.direction, most;
  return keys;
end
$$;
comment on function imago.left_over(imago.run, imago.plan, integer) is 'Entities that are still to be moved anywhere and are not set aside, at most so many: the proof of completeness.';

-- sql/engine/functions/lock_entities.sql
create or replace function imago.lock_entities(plan imago.plan, keys text[], skip_locked boolean default false)
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
       select %1$I as k from %2$I.%3$I where %1$I = any ($1::%4$s[]) order by %1$I for no key update %5$s) locked',
    plan.key_column, plan.source_schema, plan.source_table, plan.key_type, case when skip_locked then 'skip locked' else '' end)
  into result using keys;
  return result;
end
$$;
comment on function imago.lock_entities(imago.plan, text[], boolean) is 'The entity lock: locks the entities in key order and returns the keys of those that exist (and, with skip_locked, are free).';

-- sql/engine/functions/lock_inserted.sql
create or replace function imago.lock_inserted(plan imago.plan, keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.inserts and w.undo_table is not null order by w.position loop
    execute format(
      'select count(*) from (select from %1$s t where (%2$s) in
         (select %3$s from imago_undo.%4$I j where j.entity = any ($1::%5$s[]) and j.op = ''i'')
       order by %2$s for update) locked',
      write.relation,
      imago.undo_list('t.%2$I', write.relation, write.key_columns),
      imago.undo_list('j.key_%1$s::%3$s', write.relation, write.key_columns),
      write.undo_table, plan.key_type)
    using keys;
  end loop;
end
$$;
comment on function imago.lock_inserted(imago.plan, text[]) is 'Locks the rows that are to be removed, in key order: whoever is adding a reference to one is waited for.';

-- sql/engine/functions/lock_run.sql
create or replace function imago.lock_run(run_id bigint)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  old_timeout text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  perform pg_advisory_xact_lock(imago.gate(run_id));
  select r.* into run from imago.run r where r.id = run_id for update;
  perform set_config('lock_timeout', old_timeout, true);
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.lock_run(bigint) is 'Holds a run alone, once the batches in flight have ended, and re-reads it; IM016 when they take too long.';

-- sql/engine/functions/migrate_entity.sql
create or replace function imago.migrate_entity(plan_name text, entity text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
  old_timeout text := current_setting('lock_timeout');
begin
  if entity is null then
    perform imago.raise_error('IM004', 'user_id');
  end if;
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  if not imago.entity_exists(plan, entity) then
    perform imago.raise_error('IM013', plan_name);
  end if;
  delete from imago.failure f
  where f.plan = plan_name and f.entity = migrate_entity.entity and f.direction = 'forward';
  attempt := imago.attempt_batch(run, plan, array[entity], 'entity');
  perform imago.raise_attempt(plan_name, attempt);
  perform set_config('lock_timeout', old_timeout, true);
  return jsonb_build_object(
    'plan', plan_name, 'entity', entity, 'migrated', attempt.moved = 1, 'skipped', attempt.moved = 0,
    'rows', attempt.rows, 'run', run.id,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1));
end
$$;
comment on function imago.migrate_entity(text, text) is 'Moves one entity now, whatever its lane is doing.';

-- sql/engine/functions/movable_keys.sql
create or replace function imago.movable_keys(run imago.run, plan imago.plan, lane imago.lane, keys text[])
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  todo text[] := coalesce(keys, '{}');
begin
  -- The late pass finds most entities moved: it reads before it locks, and it tries once more
  -- those whose reason may have passed.
  if lane.pass = 'late' and run.direction = 'forward' then
    todo := imago.pending_keys(plan, todo);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name) then
    select coalesce(array_agg(k order by n), '{}') into todo
    from unnest(todo) with ordinality t(k, n)
    where k not in (select imago.set_aside_keys(plan.name, run.direction, lane.pass <> 'late'));
  end if;
  return todo;
end
$$;
comment on function imago.movable_keys(imago.run, imago.plan, imago.lane, text[]) is 'Those of the keys that this lane is to move: not set aside, and in the late pass only pending ones.';

-- sql/engine/functions/move_back.sql
create or replace function imago.move_back(run imago.run, plan imago.plan, keys text[], path text)
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
  conflicts jsonb;
  good text[];
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
begin
  result.moved := 0;
  result.rows := '{}';
  perform imago.lock_entities(plan, keys);
  perform imago.lock_inserted(plan, keys);
  -- Later statements than the locks: they see references that transactions in flight have committed meanwhile.
  conflicts := imago.find_conflicts(run, plan, keys);
  select coalesce(array_agg(k), '{}') into good from unnest(keys) k
  where k not in (select c ->> 'entity' from jsonb_array_elements(conflicts) c);

  insert into imago.batch (run, direction, path, journaled, size)
  values (run.id, 'rollback', path, false, cardinality(keys))
  returning id into result.batch;
  if conflicts <> '[]' then
    result.bad_keys := imago.record_conflicts(run, conflicts);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name and f.kind = 'conflict') then
    delete from imago.failure f where f.plan = plan.name and f.kind = 'conflict' and f.entity = any (good);
  end if;

  perform set_config('imago.batch', result.batch::text, true);
  result.rows := imago.restore_rows(run, plan, good);
  result.rows := imago.add_counts(result.rows, imago.remove_rows(plan, good));
  set constraints all immediate;
  perform set_config('imago.batch', '', true);

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
comment on function imago.move_back(imago.run, imago.plan, text[], text) is 'Takes entities back, inside the caller''s subtransaction, each whole or not at all: lock, look for conflicts, restore, detach, remove, forget the journal.';

-- sql/engine/functions/move_forward.sql
create or replace function imago.move_forward(run imago.run, plan imago.plan, keys text[], path text)
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
  todo text[];
  still text[];
  started timestamptz := clock_timestamp();
  lsn pg_lsn := pg_current_wal_insert_lsn();
  counts jsonb;
  write_id integer;
begin
  result.moved := 0;
  result.rows := '{}';
  todo := imago.lock_entities(plan, keys);
  -- A later statement than the lock: it sees what the transaction that held the entity before us has done.
  todo := imago.pending_keys(plan, todo);
  if todo = '{}' then
    return result;
  end if;

  -- The number is drawn under the entity locks, so that for each entity batches are numbered in the order of their writes.
  insert into imago.batch (run, direction, path, journaled, size)
  values (run.id, run.direction, path, run.backup, cardinality(todo))
  returning id into result.batch;
  for write_id in select w.id from imago.plan_write w where w.plan = plan.name loop
    perform set_config('imago.fired_' || write_id, '0', true);
  end loop;
  counts := imago.rows_written(plan.name);
  -- What the app adds to an entity while it is being moved (a post, by a foreign key that does not wait for our lock) is
  -- moved with it. What is pending after that is not to be moved by this plan.
  still := todo;
  for round in 1..3 loop
    perform set_config('imago.batch', result.batch::text, true);
    execute format('select %I.apply($1::%s[])', plan.name, plan.key_type) using still;
    set constraints all immediate;
    perform set_config('imago.batch', '', true);
    still := imago.pending_keys(plan, todo);
    exit when still = '{}';
  end loop;
  if still <> '{}' then
    raise exception using errcode = 'IM010', message = 'still pending', detail = to_jsonb(still)::text;
  end if;
  if run.backup then
    perform imago.settle_batch(result.batch, plan, todo);
  end if;
  result.rows := imago.add_counts(imago.rows_written(plan.name), counts, -1);
  result.moved := cardinality(todo);
  update imago.batch b set
    moved = result.moved,
    rows = result.rows,
    ms = round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 3),
    wal_bytes = pg_current_wal_insert_lsn() - lsn
  where b.id = result.batch;
  return result;
end
$$;
comment on function imago.move_forward(imago.run, imago.plan, text[], text) is 'Moves exactly these entities, inside the caller''s subtransaction: lock, re-read pending, apply, prove that nothing is left pending, settle the journal.';

-- sql/engine/functions/move_keys.sql
create or replace function imago.move_keys(
  run imago.run,
  plan imago.plan,
  keys text[],
  path text,
  size integer,
  deadline timestamptz,
  attempts_left integer,
  deferrals integer default 0
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
  bad text[];
  started timestamptz;
begin
  result := row('done', 0, 0, 0, 0, size, null, '{}');
  while first <= cardinality(keys) loop
    while ends[cardinality(ends)] < first loop
      ends := trim_array(ends, 1);
    end loop;
    last := least(ends[cardinality(ends)], first + size - 1);
    if result.attempts >= attempts_left or (clock_timestamp() >= deadline and result.attempts > 0) then
      result.outcome := 'time';
      result.next_size := last - first + 1;
      exit;
    end if;

    select coalesce(array_agg(k order by n), '{}') into segment
    from unnest(keys[first:last]) with ordinality s(k, n) where k <> all (aside);
    if segment = '{}' then
      first := last + 1;
      continue;
    end if;
    started := clock_timestamp();
    result.attempts := result.attempts + 1;
    attempt := imago.attempt_batch(run, plan, segment, path);
    if attempt.outcome = 'moved' then
      result.moved := result.moved + attempt.moved;
      result.failed := result.failed + coalesce(cardinality(attempt.bad_keys), 0);
      result.rows := imago.add_counts(result.rows, attempt.rows);
      perform imago.clear_set_aside(run, segment);
      size := imago.next_size(cardinality(segment), clock_timestamp() - started, null);
      first := last + 1;
      continue;
    end if;

    result.sqlstate := attempt.sqlstate;
    if attempt.outcome = 'stop' then
      result.outcome := 'stop';
      exit;
    end if;
    if attempt.outcome = 'timeout' then
      -- Only an entity that had the whole call for itself, no attempt of the call being used up before it, is too
      -- large; any other timeout asks for a smaller batch.
      if cardinality(segment) = 1 and result.attempts = 1 and attempts_left = imago.setting_number('max_sub_batches') then
        perform imago.set_aside(run, segment[1], 'too_large', attempt.sqlstate, reason => 'its rows do not fit one call');
        result.failed := result.failed + 1;
        first := last + 1;
      end if;
      result.outcome := case when imago.over_budget(run) then 'budget' else 'timeout' end;
      result.next_size := greatest(1, cardinality(segment) / 4);
      exit;
    end if;
    if attempt.outcome = 'blocked' and deferrals < imago.setting_number('deferrals') then
      result.outcome := 'deferred';
      exit;
    end if;

    bad := imago.bad_keys(plan, segment, attempt);
    if bad = '{}' then
      perform imago.write_log(run.plan, run.id, 'debug', 'halved', jsonb_build_object('size', cardinality(segment)), null, attempt.sqlstate);
      ends := ends || (first + (last - first) / 2);
      continue;
    end if;
    perform imago.set_aside(run, k, case attempt.outcome when 'blocked' then 'deferred' else 'failed' end,
                            attempt.sqlstate, attempt.constraint_name, attempt.table_name, attempt.column_name)
    from unnest(bad) k;
    aside := aside || bad;
    result.failed := result.failed + cardinality(bad);
    if imago.over_budget(run) then
      result.outcome := 'budget';
      exit;
    end if;
  end loop;
  result.resolved := first - 1;
  return result;
end
$$;
comment on function imago.move_keys(imago.run, imago.plan, text[], text, integer, timestamptz, integer, integer) is 'Moves a list of entities in key order until it is done or the call''s budget is: halves down to bad entities, sets them aside, keeps the rest. Starts with sub-batches of size and lets them grow.';

-- sql/engine/functions/move_window.sql
create or replace function imago.move_window(plan_name text, batch_size integer, batch_offset integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
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
  old_timeout text := current_setting('lock_timeout');
begin
  if batch_size is null or batch_offset is null then
    perform imago.raise_error('IM004', case when batch_size is null then 'batch_size' else 'batch_offset' end);
  end if;
  perform imago.check_size(batch_size);
  if batch_offset < 0 then
    perform imago.raise_error('IM003', batch_offset::text);
  end if;
  run := imago.entity_run(plan, 'forward');
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);

  execute format(
    'select coalesce(array_agg(k::text order by k), ''{}'') from (select %1$I as k from %2$I.%3$I order by %1$I limit $1 offset $2) window_keys',
    plan.key_column, plan.source_schema, plan.source_table)
  into keys using batch_size, batch_offset;
  select coalesce(array_agg(k order by n), '{}') into todo
  from unnest(imago.pending_keys(plan, keys)) with ordinality p(k, n)
  where k not in (select imago.set_aside_keys(plan_name, 'forward', false));
  -- Sub-batches start small: a window keeps no size from call to call, and one that timed out whole would do so again.
  -- No deferrals are left: a blocked user of a window is set aside at once, the others move.
  moves := imago.move_keys(run, plan, todo, 'window', 1, imago.call_deadline(6000), attempts_left, imago.setting_number('deferrals'));
  next_offset := batch_offset;
  if moves.outcome = 'done' then
    next_offset := imago.next_window(plan, batch_offset, cardinality(keys), moves.moved > 0);
  end if;

  if moves.outcome in ('budget', 'stop') then
    status := imago.stop_run(run, case moves.outcome when 'budget' then 'IM020' else 'IM021' end, moves.sqlstate);
  elsif next_offset is null then
    perform imago.close_lanes(run.id);
    ending := imago.finish_run(run, plan, imago.call_deadline(7000), attempts_left - moves.attempts);
    moves.moved := moves.moved + ending.moved;
    moves.rows := imago.add_counts(moves.rows, ending.rows);
    status := 'done';
    -- Transactions in flight may bring more, or have brought more just now. In all other cases nothing is pending.
    if ending.outcome not in ('done', 'busy', 'incomplete') then
      status := case ending.outcome when 'deferred' then 'deferred' else 'working' end;
      next_offset := batch_offset;
    end if;
  end if;
  perform set_config('lock_timeout', old_timeout, true);
  return jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'status', status, 'processed', cardinality(keys), 'migrated', moves.moved,
    'skipped', greatest(0, cardinality(keys) - moves.moved - moves.failed), 'failed', moves.failed,
    'has_more', next_offset is not null, 'next_offset', next_offset, 'rows', moves.rows,
    'retry_after_ms', case when status in ('busy', 'deferred') then 200 else 0 end,
    'error', case when status = 'failed' then imago.error_of(imago.last_run(plan_name)) end,
    'duration_ms', round(extract(epoch from clock_timestamp() - started)::numeric * 1000, 1));
end
$$;
comment on function imago.move_window(text, integer, integer) is 'Moves the entities of one window over all entities in key order, and says where work is left.';

-- sql/engine/functions/next_keys.sql
create or replace function imago.next_keys(run imago.run, plan imago.plan, lane imago.lane)
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text;
  walked text := case run.direction when 'forward' then format('%I', plan.key_column) else 'entity' end;
  range text;
  keys text[];
begin
  -- A bound that is null drops out of the text, so that the planner sees one plain index range.
  range := concat_ws(' and ',
    case when coalesce(lane.cursor_key, lane.lower_key) is not null then format('%s > $1::%s', walked, plan.key_type) end,
    case when lane.upper_key is not null then format('%s <= $2::%s', walked, plan.key_type) end);
  range := coalesce(nullif(range, ''), 'true');
  if run.direction = 'forward' then
    source := format('select %s as k from %I.%I where %s order by 1 limit $3', walked, plan.source_schema, plan.source_table, range);
  else
    select string_agg(
      format('(select distinct entity as k from imago_undo.%I where %s order by 1 limit $3)', w.undo_table, range), ' union ')
      into source
    from imago.plan_write w where w.plan = plan.name and w.undo_table is not null;
    source := format('select k from (%s) journaled order by k limit $3', coalesce(source, 'select null::text as k where false'));
  end if;
  execute format('select array_agg(k::text order by k) from (%s) next', source)
    into keys using coalesce(lane.cursor_key, lane.lower_key), lane.upper_key, lane.batch_size;
  return keys;
end
$$;
comment on function imago.next_keys(imago.run, imago.plan, imago.lane) is 'The next keys of a lane by keyset, batch_size of them; null at its end. Forward walks the source, rollback the journal.';

-- sql/engine/functions/next_size.sql
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

-- sql/engine/functions/next_window.sql
create or replace function imago.next_window(plan imago.plan, batch_offset bigint, size integer, moved boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  first_key text;
  source text := format('%I.%I', plan.source_schema, plan.source_table);
  result bigint;
  pending constant text := format(
    'select p.entity::text from %1$I.pending p
     where p.entity::text not in (select imago.set_aside_keys($1, ''forward'')) ', plan.name);
  boundary text;
begin
  execute format('select %1$I::text from %2$s order by %1$I limit 1 offset $1', plan.key_column, source)
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
  execute format('select count(*) from %s where %I < $1::%s', source, plan.key_column, plan.key_type) into result using first_key;
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

-- sql/engine/functions/open_run.sql
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
as $$
declare
  run imago.run;
  last imago.run;
  old_timeout text := current_setting('lock_timeout');
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
      perform set_config('lock_timeout', old_timeout, true);
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

-- sql/engine/functions/over_budget.sql
create or replace function imago.over_budget(run imago.run)
returns boolean
language sql
stable
set search_path = ''
as $$
  select count(*) > imago.allowed_failures(over_budget.run)
  from imago.failure f
  where f.run = over_budget.run.id and f.kind in ('failed', 'too_large')
$$;
comment on function imago.over_budget(imago.run) is 'Whether more entities have failed in this run than max_failures allows.';

-- sql/engine/functions/pending_keys.sql
create or replace function imago.pending_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  result text[];
begin
  execute format(
    'select coalesce(array_agg(entity::text order by entity), ''{}'') from %I.pending where entity = any ($1::%s[])',
    plan.name, plan.key_type)
  into result using keys;
  return result;
end
$$;
comment on function imago.pending_keys(imago.plan, text[]) is 'Those of the keys that the plan''s view pending still lists, in key order.';

-- sql/engine/functions/percentage.sql
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

-- sql/engine/functions/phase.sql
create or replace function imago.phase(plan imago.plan, run imago.run)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when run.id is null then 'not started'
    when run.direction = 'rollback' then case when run.state in ('pending', 'running', 'paused') then 'rollback' else 'rolled back' end
    when plan.prepared_at is null or run.state = 'pending' then 'prepare'
    when run.state = 'succeeded' then 'validate'
    when exists (select from imago.lane l where l.run = run.id and l.pass = 'main' and not l.done) then 'backfill'
    else 'late pass'
  end
$$;
comment on function imago.phase(imago.plan, imago.run) is 'Where a plan stands: prepare, backfill, late pass, validate, rollback.';

-- sql/engine/functions/pointing_columns.sql
create or replace function imago.pointing_columns(plan text, target text)
returns table (relation text, columns text[], target_columns text[], pointing imago.plan_write)
language sql
stable
set search_path = ''
as $$
  select w.relation, array[p.key], imago.primary_key(target), w
  from imago.plan_write w
  cross join lateral jsonb_each_text(w.points_to) p
  where w.plan = pointing_columns.plan and p.value = target
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
      where w.plan = pointing_columns.plan
        and w.relation::pg_catalog.regclass = coalesce(pg_catalog.pg_partition_root(c.conrelid), c.conrelid)
        and w.points_to ->> a.attname = target and (cardinality(c.conkey) = 1 or c.confmatchtype = 's'))
$$;
comment on function imago.pointing_columns(text, text) is 'Columns that refer to a relation: declared ones (with their write) and every other foreign key.';

-- sql/engine/functions/preflight.sql
create or replace function imago.preflight(plan imago.plan)
returns table (severity text, object text, message text, hint text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text := format('%I.%I', plan.source_schema, plan.source_table);
begin
  return query select * from imago.check_relation(source);
  return query select * from imago.check_column(source, plan.key_column, '{uuid,integer,bigint,text,"character varying"}');
  if pg_catalog.to_regclass(source) is not null and not exists (
    select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = pg_catalog.to_regclass(source) and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 and a.attname = plan.key_column) then
    return query select 'error', format('%s.%I', source, plan.key_column), 'is not unique', 'The walk needs a unique index on the key.';
  end if;
  return query execute format('select severity, object, message, hint from %I.preflight()', plan.name);
end
$$;
comment on function imago.preflight(imago.plan) is 'Everything that speaks against starting, as severity (error or warning), object, message and hint. Takes no locks that anyone waits for.';

-- sql/engine/functions/prepare_answer.sql
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
      from imago.log l where l.plan = plan_name and l.event = 'preflight' and l.created_at >= now()))
  from imago.plan p where p.name = plan_name
$$;
comment on function imago.prepare_answer(text, text, text) is 'The JSON that prepare_migration returns.';

-- sql/engine/functions/prepare_step.sql
create or replace function imago.prepare_step(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
  step imago.plan_step;
  write imago.plan_write;
  problems jsonb;
  name text;
  old_timeout text := current_setting('lock_timeout');
begin
  perform imago.find_plan(plan_name);
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    select p.* into plan from imago.plan p where p.name = plan_name for update;
  exception when lock_not_available or deadlock_detected then
    return imago.prepare_answer(plan_name, null, 'busy');
  end;
  perform set_config('lock_timeout', old_timeout, true);
  if plan.prepared_at is not null then
    return imago.prepare_answer(plan_name, null, 'prepared');
  end if;

  if not exists (select from imago.plan_step s where s.plan = plan_name and s.done_at is not null) then
    select jsonb_agg(to_jsonb(p)) into problems from imago.preflight(plan) p;
    if jsonb_path_exists(problems, '$[*] ? (@.severity == "error")') then
      perform imago.raise_error('IM006', plan_name, (
        select string_agg(format('%s %s', p ->> 'object', p ->> 'message'), '; ')
        from jsonb_array_elements(problems) p where p ->> 'severity' = 'error'));
    end if;
    perform imago.write_log(plan_name, null, 'warning', 'preflight', p) from jsonb_array_elements(problems) p;
    perform imago.find_key_type(plan_name);
  end if;

  begin
    perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
    select s.* into step from imago.plan_step s where s.plan = plan_name and s.done_at is null order by s.position limit 1;
    if found then
      name := step.name;
      execute format('select %I.%I()', plan_name, step.routine);
      update imago.plan_step s set done_at = clock_timestamp() where s.plan = plan_name and s.position = step.position;
    else
      select w.* into write from imago.plan_write w where w.plan = plan_name and w.captured_at is null order by w.position limit 1;
      if found then
        name := 'journal ' || write.relation;
        perform imago.install_undo(write.id);
        perform imago.install_capture(write.id);
      else
        name := 'statistics';
        perform imago.ensure_statistics(plan_name);
        update imago.plan p set prepared_at = clock_timestamp() where p.name = plan_name;
      end if;
    end if;
  exception when lock_not_available or deadlock_detected then
    perform set_config('lock_timeout', old_timeout, true);
    perform imago.write_log(plan_name, null, 'warning', 'prepare_deferred', jsonb_build_object('step', name), null, '55P03');
    return imago.prepare_answer(plan_name, name, 'busy');
  end;
  perform set_config('lock_timeout', old_timeout, true);
  perform imago.write_log(plan_name, null, 'info', 'prepare', jsonb_build_object('step', name));
  return imago.prepare_answer(plan_name, name, 'preparing');
end
$$;
comment on function imago.prepare_step(text) is 'Does the next prepare step of a plan: its own steps in order, then the journal of each write, then statistics. One relation a call, with a short lock timeout.';

-- sql/engine/functions/primary_key.sql
create or replace function imago.primary_key(relation text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select array_agg(a.attname::text order by k.position)
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality k(attnum, position)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = relation::pg_catalog.regclass and i.indisprimary
$$;
comment on function imago.primary_key(text) is 'Columns of the primary key in order, or null.';

-- sql/engine/functions/progress.sql
create or replace function imago.progress(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.unfinished_run(plan_name);
  source record;
  counts record;
  pending bigint;
  moved bigint;
  per_minute numeric;
begin
  if run.id is null then
    run := imago.last_run(plan_name);
  end if;
  perform imago.check_source(plan);
  select * into source from imago.count_source(plan);
  select
    count(distinct f.entity) filter (where f.kind in ('failed', 'too_large', 'deferred')) as failed,
    count(distinct f.entity) filter (where f.kind = 'held') as held,
    count(distinct f.entity) filter (where f.kind = 'conflict') as conflicts
    into counts
  from imago.failure f where f.plan = plan_name;

  if plan.prepared_at is null and source.is_estimate then
    -- An exact count would not fit the estimated total.
    pending := source.total;
  elsif run.direction is not distinct from 'rollback' or not source.is_estimate then
    pending := imago.count_pending(plan);
  else
    pending := imago.estimate_pending(run, source.total);
  end if;
  moved := greatest(0, source.total - pending);
  per_minute := imago.recent_rate(run.id);
  return jsonb_build_object(
    'plan', plan_name, 'run', run.id, 'direction', run.direction,
    'state', coalesce(run.state, 'none'), 'phase', imago.phase(plan, run), 'reason', run.reason,
    'total_users', source.total, 'migrated_users', moved, 'pending_users', pending,
    'failed_users', counts.failed, 'held_users', counts.held, 'conflicts', counts.conflicts,
    'migration_completion_percentage', imago.percentage(moved, pending),
    'users_per_minute', round(per_minute),
    'eta_seconds', case when run.state = 'running' and per_minute > 0
      then ceil(60 * (case run.direction when 'rollback' then moved else pending end) / per_minute) end,
    'lanes', coalesce((
      select jsonb_agg(jsonb_build_object('pass', l.pass, 'number', l.number, 'processed', l.processed, 'moved', l.moved,
                                          'failed', l.failed, 'batch_size', l.batch_size, 'done', l.done) order by l.pass desc, l.number)
      from imago.lane l where l.run = run.id), '[]'),
    'started_at', run.started_at,
    'updated_at', (select max(l.updated_at) from imago.lane l where l.run = run.id),
    'total_is_estimate', source.is_estimate);
end
$$;
comment on function imago.progress(text) is 'State, counts, rate and remaining time of a plan. Above about 100,000 entities counts come from lanes and statistics and are marked as estimates.';

-- sql/engine/functions/proved_by_walk.sql
create or replace function imago.proved_by_walk(lane imago.lane)
returns boolean
language sql
stable
set search_path = ''
as $$
  select lane.moved_before is not distinct from sum(l.moved)
  from imago.lane l where l.run = lane.run and l.pass = lane.pass
$$;
comment on function imago.proved_by_walk(imago.lane) is 'Whether a walk of the late lanes that began when all lanes were done has found nothing to move: the other proof of completeness.';

-- sql/engine/functions/raise_attempt.sql
create or replace function imago.raise_attempt(plan_name text, attempt imago.attempt)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if attempt.outcome = 'blocked' then
    perform imago.raise_error('IM025');
  elsif attempt.outcome = 'moved' then
    return;
  elsif attempt.sqlstate in ('IM010', 'IM011') then
    perform imago.raise_error(attempt.sqlstate);
  end if;
  perform imago.raise_error('IM023', plan_name, attempt.sqlstate);
end
$$;
comment on function imago.raise_attempt(text, imago.attempt) is 'For calls about one entity: what went wrong with it is an error of the call.';

-- sql/engine/functions/raise_error.sql
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
comment on function imago.raise_error(text, text[]) is 'Raises an error of imago.error with its values filled in.';

-- sql/engine/functions/recent_rate.sql
create or replace function imago.recent_rate(run_id bigint)
returns numeric
language sql
stable
set search_path = ''
as $$
  select case when count(*) > 0 then
    60 * sum(b.moved) / greatest(0.1, extract(epoch from max(b.created_at) - min(b.created_at)) + avg(b.ms) / 1000)
  end
  from (select * from imago.batch b where b.run = run_id order by b.id desc limit 50) b
  where b.created_at > (select max(l.created_at) - interval '60 s' from imago.batch l where l.run = run_id)
$$;
comment on function imago.recent_rate(bigint) is 'Entities a minute over the last minute of work, at most 50 batches.';

-- sql/engine/functions/record_conflicts.sql
create or replace function imago.record_conflicts(run imago.run, conflicts jsonb)
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
  with forgotten as (
    delete from imago.failure f where f.plan = run.plan and f.kind = 'conflict' and f.entity = any (entities)
    returning f.run, f.entity
  )
  select coalesce(array_agg(distinct o.entity), '{}') into known from forgotten o where o.run = record_conflicts.run.id;
  insert into imago.failure (plan, run, entity, kind, direction, table_name, row_key, reason)
  select run.plan, run.id, c ->> 'entity', 'conflict', 'rollback', c ->> 'relation', c ->> 'row_key', c ->> 'reason'
  from jsonb_array_elements(conflicts) c;
  insert into imago.log (plan, run, level, event, entity, detail)
  select run.plan, run.id, 'warning', 'conflict', c ->> 'entity', c - 'entity' from jsonb_array_elements(conflicts) c
  where c ->> 'entity' <> all (known);
  return array(select e from unnest(entities) e where e <> all (known));
end
$$;
comment on function imago.record_conflicts(imago.run, jsonb) is 'Writes conflicts down (keys and reasons) and returns the entities that this run had not reported before.';

-- sql/engine/functions/referenced_rows.sql
create or replace function imago.referenced_rows(plan imago.plan, keys text[])
returns table (entity text, relation text, row_key text, reason text)
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
  for removed in select w.* from imago.plan_write w where w.plan = plan.name and w.inserts and w.undo_table is not null loop
    for reference in select p.* from imago.pointing_columns(plan.name, removed.relation) p loop
      if reference.pointing is not null then
        -- A declared column: rows that this rollback restores or detaches do not count, rows that stay with another entity do.
        journal := format(
          'select from imago_undo.%I o where o.entity = r.%I and %s', (reference.pointing).undo_table, (reference.pointing).entity_column,
          imago.undo_list('o.key_%1$s = r.%2$I::%4$s', reference.relation, (reference.pointing).key_columns, ' and '));
        -- Journaled rows of the entities that go back are restored; only those of others are looked up, entity by entity.
        condition := format('(r.%I <> all ($1::%s[]) and exists (%s))', (reference.pointing).entity_column, plan.key_type, journal);
        if not (select c.nullable from imago.undo_columns(reference.relation, reference.columns) c) then
          condition := format('(%s or not exists (%s))', condition, journal);
        end if;
      else
        -- Rows that go with the same entities do not count.
        select w.* into other from imago.plan_write w
        where w.plan = plan.name and w.inserts and w.undo_table is not null
          and w.relation::pg_catalog.regclass = coalesce(
            pg_catalog.pg_partition_root(reference.relation::pg_catalog.regclass), reference.relation::pg_catalog.regclass);
        condition := case when other.id is null then 'true' else format(
          'not exists (select from imago_undo.%I o where o.entity = any ($1::%s[]) and o.op = ''i'' and %s)',
          other.undo_table, plan.key_type,
          imago.undo_list('o.key_%1$s = r.%2$I::%4$s', other.relation, other.key_columns, ' and ')) end;
      end if;
      return query execute format(
        'select distinct i.entity::text, %1$L::text, concat_ws('','', %2$s), ''referenced by %3$s''::text
         from imago_undo.%4$I i join %5$s t on %6$s join %7$s r on %8$s
         where i.entity = any ($1::%9$s[]) and i.op = ''i'' and %10$s
           and r.%11$I = any (array(select k.%12$I from imago_undo.%4$I i join %5$s k on %13$s
                                    where i.entity = any ($1::%9$s[]) and i.op = ''i''))',
        removed.relation, imago.undo_list('i.key_%1$s', removed.relation, removed.key_columns),
        replace(reference.relation, '''', ''''''), removed.undo_table, removed.relation,
        imago.undo_list('t.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '),
        reference.relation,
        (select string_agg(format('r.%I = t.%I', c, reference.target_columns[n]), ' and ')
         from unnest(reference.columns) with ordinality u(c, n)),
        plan.key_type, condition,
        -- The same once more as an array: one index look-up for each removed row, instead of a join over the whole table.
        reference.columns[1], reference.target_columns[1],
        imago.undo_list('k.%2$I = i.key_%1$s::%3$s', removed.relation, removed.key_columns, ' and '))
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.referenced_rows(imago.plan, text[]) is 'Inserted rows of these entities that something else refers to, so that removing them would cascade or fail.';

-- sql/engine/functions/rehearsal_report.sql
create or replace function imago.rehearsal_report(
  plan imago.plan,
  run imago.run,
  answer jsonb,
  before jsonb,
  first_log bigint,
  started timestamptz
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  written jsonb;
  side_effects jsonb;
  undeclared jsonb;
  seconds numeric := greatest(0.001, (answer ->> 'duration_ms')::numeric / 1000);
  moved bigint := (answer ->> 'migrated')::bigint;
  pending bigint := imago.count_pending(plan) + moved;
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
    'dry_run', true, 'side_effects', side_effects, 'undeclared', undeclared,
    'failures', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('entity', f.entity, 'kind', f.kind, 'sqlstate', f.sqlstate,
                                                            'constraint', f.constraint_name, 'table', f.table_name)) order by f.id)
      from (select * from imago.failure f where f.run = rehearsal_report.run.id order by f.id limit 100) f), '[]'),
    'rows_per_second', round((select coalesce(sum(value::bigint), 0) from jsonb_each_text(answer -> 'rows')) / seconds),
    'estimate', jsonb_build_object(
      'users', pending, 'seconds', case when moved > 0 then ceil(pending * seconds / moved) end,
      'rows', (select coalesce(jsonb_object_agg(key, case when moved > 0 then round(value::numeric * pending / moved) end), '{}')
               from jsonb_each_text(answer -> 'rows'))));
end
$$;
comment on function imago.rehearsal_report(imago.plan, imago.run, jsonb, jsonb, bigint, timestamptz) is 'What a dry run found: rows, failures, side effects of the app''s triggers, undeclared writes, and an estimate of the whole.';

-- sql/engine/functions/rehearse.sql
create or replace function imago.rehearse(plan_name text, mode text, batch_size integer, max_ms integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan;
  run imago.run;
  before jsonb;
  step jsonb;
  answer jsonb;
  first_log bigint := coalesce((select max(l.id) from imago.log l), 0);
  started timestamptz := clock_timestamp();
  locked_at timestamptz;
  lsn pg_lsn;
  work_ms integer := case mode when 'full' then 3600000 else least(max_ms, 2000) end;
begin
  update imago.setting s set value = '200' where s.name = 'ddl_lock_timeout_ms';
  select p.* into plan from imago.plan p where p.name = plan_name;
  if plan.prepared_at is null then
    locked_at := clock_timestamp();
    work_ms := case mode when 'full' then work_ms else least(work_ms, 500) end;
    loop
      step := imago.prepare_step(plan_name);
      if step ->> 'status' = 'busy' then
        perform imago.raise_error('IM016', plan_name);
      end if;
      exit when not (step ->> 'has_more')::boolean;
    end loop;
    select p.* into plan from imago.plan p where p.name = plan_name;
  end if;
  perform set_config('imago.dry', 'on', true);
  run := imago.unfinished_run(plan_name);
  if run.id is not null then
    update imago.run r set state = 'cancelled' where r.id = run.id;
  end if;
  run := imago.open_run(plan_name, 'forward', max_failures => '999999999');
  perform imago.start_run(run.id, coalesce(batch_size, case mode when 'full' then 2000 end));
  if mode = 'full' then
    update imago.setting s set value = '1000000' where s.name in ('max_sub_batches');
    update imago.setting s set value = '2000' where s.name = 'sub_batch_ms';
  end if;

  before := imago.table_counters();
  lsn := pg_current_wal_insert_lsn();
  loop
    step := imago.work(run.id, work_ms, batch_size);
    answer := case when answer is null then step else imago.add_answers(answer, step) end;
    exit when mode = 'sample' or step ->> 'status' not in ('working', 'deferred');
    -- The timer is not armed again: without this the rest would run on past the caller's timeout.
    if imago.timed_out() then
      perform imago.raise_error('IM018');
    end if;
  end loop;
  perform set_config('imago.dry', '', true);
  return imago.rehearsal_report(plan, run, answer, before, first_log, started)
    || jsonb_build_object(
      'mode', mode, 'wal_bytes', pg_current_wal_insert_lsn() - lsn,
      'locks_held_ms', case when locked_at is not null then round(extract(epoch from clock_timestamp() - locked_at)::numeric * 1000) end);
end
$$;
comment on function imago.rehearse(text, text, integer, integer) is 'The body of a dry run: prepares where needed, works like a real run, compares what was written with what was declared. The caller rolls it back.';

-- sql/engine/functions/remove_capture.sql
create or replace function imago.remove_capture(plan imago.plan)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  if exists (select from imago.failure f where f.plan = plan.name and f.direction = 'rollback') then
    return true;
  end if;
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.captured_at is not null loop
    execute format('drop trigger if exists "!imago_guard" on %s', write.relation);
    execute format('drop trigger if exists "~imago_insert" on %s', write.relation);
    execute format('drop trigger if exists "~imago_update" on %s', write.relation);
    execute format('drop trigger if exists "~imago_keep" on %s', write.relation);
    update imago.plan_write w set captured_at = null where w.id = write.id;
  end loop;
  update imago.plan p set prepared_at = null where p.name = plan.name;
  -- The next run looks at the app anew and does the steps again: they are idempotent.
  update imago.plan_step s set done_at = null where s.plan = plan.name;
  delete from imago.failure f where f.plan = plan.name;
  return true;
exception when lock_not_available or deadlock_detected then
  return false;
end
$$;
comment on function imago.remove_capture(imago.plan) is 'Removes our triggers from the app''s tables once everything is back; false when a table is too busy to be locked just now.';

-- sql/engine/functions/remove_rows.sql
create or replace function imago.remove_rows(plan imago.plan, keys text[])
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
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null and w.inserts order by w.position desc
  loop
    inserted := format(
      '(select %s from imago_undo.%I j where j.entity = any ($1::%s[]) and j.op = ''i'')',
      imago.undo_list('j.key_%1$s::%3$s', write.relation, write.key_columns), write.undo_table, plan.key_type);
    for reference in select p.* from imago.pointing_columns(plan.name, write.relation) p where p.pointing is not null loop
      execute format('update %1$s r set %2$I = null where r.%2$I = any (array%3$s)', reference.relation, reference.columns[1], inserted) using keys;
      get diagnostics affected = row_count;
      counts := imago.add_counts(counts, jsonb_build_object(reference.relation || ':detached', affected));
    end loop;
    execute format('delete from %s t where (%s) in %s', write.relation,
      imago.undo_list('t.%2$I', write.relation, write.key_columns), inserted) using keys;
    get diagnostics affected = row_count;
    counts := counts || jsonb_build_object(write.relation || ':removed', affected);
  end loop;
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null loop
    execute format('delete from imago_undo.%I j where j.entity = any ($1::%s[])', write.undo_table, plan.key_type) using keys;
  end loop;
  return counts;
end
$$;
comment on function imago.remove_rows(imago.plan, text[]) is 'Detaches what the app pointed at the inserted rows of these entities, removes those rows and forgets the journal; counts by relation.';

-- sql/engine/functions/restore_rows.sql
create or replace function imago.restore_rows(run imago.run, plan imago.plan, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  counts jsonb := '{}';
  expected bigint;
  restored bigint;
  journal text;
  join_key text;
  changed text;
  missed boolean;
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and w.columns <> '{}' and w.undo_table is not null order by w.position desc
  loop
    journal := imago.undo_rows(write, plan, keys);
    join_key := imago.undo_list('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    changed := imago.undo_list('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or ');
    execute format(
      'with j as (%1$s), restored as (
         update %2$s t set %3$s from j where %4$s and (%5$s) and (%6$s) returning 1
       )
       select (select count(*) from j), (select count(*) from restored)',
      journal, write.relation,
      imago.undo_list('%2$I = j.before_%1$s::%3$s', write.relation, write.columns), join_key, changed,
      case when run.force then 'true'
        else imago.undo_list('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and ') end)
    into expected, restored using keys;
    -- Rows that are gone, or were back already, are fine. One that still differs was changed between the check and the update.
    if restored < expected then
      execute format('select exists (select from (%s) j join %s t on %s where %s)', journal, write.relation, join_key, changed)
        into missed using keys;
      if missed then
        raise exception using errcode = '40001', message = 'a row changed while its entity was going back', table = write.relation;
      end if;
    end if;
    counts := counts || jsonb_build_object(write.relation, restored);
  end loop;
  return counts;
end
$$;
comment on function imago.restore_rows(imago.run, imago.plan, text[]) is 'Puts the declared columns of these entities back to what they were before the first batch; counts by relation.';

-- sql/engine/functions/retry_failed.sql
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
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  -- Alone: workers hold lanes, and here all late ones are opened again.
  run := imago.lock_run(run.id);
  if run.state <> 'running' then
    perform imago.transit(run.id, 'retry', 'asked for');
  end if;
  delete from imago.failure f where f.plan = plan_name and f.direction = run.direction and f.kind in ('failed', 'deferred', 'too_large');
  get diagnostics retried = row_count;
  -- Lanes that were walked are walked once more by the late pass; the others simply go on.
  update imago.lane l set done = false, cursor_key = null, batch_size = 2000, deferrals = 0, waits_for = null, moved_before = null
  where l.run = run.id and l.pass = 'late';
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'retried', retried, 'direction', run.direction,
    'state', (select r.state from imago.run r where r.id = run.id));
end
$$;
comment on function imago.retry_failed(text) is 'Forgets failures of the newest run and reopens its late pass.';

-- sql/engine/functions/rollback_entity.sql
create or replace function imago.rollback_entity(plan_name text, entity text, force boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
  attempt imago.attempt;
  started timestamptz := clock_timestamp();
  old_timeout text := current_setting('lock_timeout');
begin
  if entity is null then
    perform imago.raise_error('IM004', 'user_id');
  end if;
  if force is null then
    perform imago.raise_error('IM004', 'force');
  end if;
  perform imago.check_journal(plan_name);
  run := imago.entity_run(plan, 'rollback');
  run.force := force;
  run.direction := 'rollback';
  if not imago.has_journal(plan, entity) then
    return imago.entity_answer(plan_name, entity, attempt, false, started);
  end if;

  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  attempt := imago.attempt_batch(run, plan, array[entity], 'entity');
  perform imago.raise_attempt(plan_name, attempt);
  perform set_config('lock_timeout', old_timeout, true);
  if attempt.moved = 1 then
    run.direction := 'forward';
    perform imago.set_aside(run, entity, 'held', reason => 'rolled back alone');
  end if;
  return imago.entity_answer(plan_name, entity, attempt, attempt.moved = 1, started);
end
$$;
comment on function imago.rollback_entity(text, text, boolean) is 'Takes one entity back through the journal and holds it.';

-- sql/engine/functions/rows_written.sql
create or replace function imago.rows_written(plan text)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(
    w.relation,
    -- Rows of a partitioned table are counted on its partitions.
    (select sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(t.oid))
     from (select c.oid union select p.relid from pg_catalog.pg_partition_tree(c.oid) p) t(oid))), '{}')
  from imago.plan_write w
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
  where w.plan = rows_written.plan
$$;
comment on function imago.rows_written(text) is 'Rows that this transaction has written so far in each declared relation; take differences.';

-- sql/engine/functions/server_statistics.sql
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

-- sql/engine/functions/set_aside.sql
create or replace function imago.set_aside(
  run imago.run,
  entity text,
  kind text,
  sqlstate text default null,
  constraint_name text default null,
  table_name text default null,
  column_name text default null,
  reason text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
-- The columns that on conflict infers its index by cannot be qualified.
#variable_conflict use_column
begin
  insert into imago.failure as f (plan, run, entity, kind, direction, sqlstate, constraint_name, table_name, column_name, reason)
  values (run.plan, run.id, entity, kind, run.direction, sqlstate,
          nullif(constraint_name, ''), nullif(table_name, ''), nullif(column_name, ''), reason)
  on conflict (plan, entity, direction) where kind in ('failed', 'deferred', 'too_large', 'held')
  do update set
    run = excluded.run, kind = excluded.kind, sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name,
    table_name = excluded.table_name, column_name = excluded.column_name, reason = excluded.reason, created_at = clock_timestamp();
  perform imago.write_log(
    run.plan, run.id, case kind when 'held' then 'info' when 'deferred' then 'warning' else 'error' end, kind,
    jsonb_strip_nulls(jsonb_build_object('constraint', nullif(constraint_name, ''), 'table', nullif(table_name, ''),
                                         'column', nullif(column_name, ''), 'reason', reason)),
    entity, sqlstate);
end
$$;
comment on function imago.set_aside(imago.run, text, text, text, text, text, text, text) is 'Records an entity that could not be moved, or must not be, and logs it.';

-- sql/engine/functions/set_aside_keys.sql
create or replace function imago.set_aside_keys(plan text, direction text, passing_too boolean default true)
returns setof text
language sql
stable
set search_path = ''
as $$
  select f.entity from imago.failure f
  where f.plan = set_aside_keys.plan
    and f.direction = set_aside_keys.direction
    and (passing_too or f.kind <> 'deferred' and (f.kind <> 'conflict' or f.reason not like 'referenced by %'))
$$;
comment on function imago.set_aside_keys(text, text, boolean) is 'Entities that batches of this direction leave alone; those whose reason may have passed (a lock, a reference by an entity that has gone back since) only if passing_too.';

-- sql/engine/functions/setting_number.sql
create or replace function imago.setting_number(name text)
returns integer
language sql
stable
set search_path = ''
as $$
  select s.value::integer from imago.setting s where s.name = setting_number.name
$$;
comment on function imago.setting_number(text) is 'A setting of imago.setting as a number.';

-- sql/engine/functions/settle_batch.sql
create or replace function imago.settle_batch(batch bigint, plan imago.plan, keys text[])
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
  key_join text;
  same_key text;
  entities text[];
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and coalesce(nullif(current_setting('imago.fired_' || w.id, true), ''), '0')::integer > 1
  loop
    key_join := imago.undo_list('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
    same_key := imago.undo_list('i.key_%1$s = j.key_%1$s', write.relation, write.key_columns, ' and ');
    -- Triggers of the app may have written rows of entities that are not of this batch.
    execute format(
      'select $2 || coalesce(array_agg(distinct n.entity::text), ''{}'') from imago_undo.%I n where n.batch = $1 and n.op = ''n''',
      write.undo_table)
    into entities using batch, keys;

    if write.inserts then
      execute format(
        'update imago_undo.%1$I j set print = %2$s from %3$s t
         where %4$s and j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%5$s[]) and j.print is distinct from %2$s',
        write.undo_table, imago.undo_print('t', write.inserted_columns), write.relation, key_join, plan.key_type)
      using batch, entities;
      execute format(
        'delete from imago_undo.%1$I j where j.batch = $1 and j.op = ''i'' and j.entity = any ($2::%2$s[])
           and not exists (select from %3$s t where %4$s)',
        write.undo_table, plan.key_type, write.relation, key_join)
      using batch, entities;
      execute format(
        'delete from imago_undo.%1$I j using imago_undo.%1$I i
         where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[])
           and i.batch = $1 and i.op = ''i'' and i.entity = j.entity and %3$s',
        write.undo_table, plan.key_type, same_key)
      using batch, entities;
    end if;

    if write.columns <> '{}' then
      -- Capture order is not write order. In the chain of values of one row every value but the first and the last is as
      -- often an after as a before, so the first is the one that is once more a before: no order needed.
      execute format(
        'with taken as (
           delete from imago_undo.%1$I j where j.batch = $1 and j.op <> ''i'' and j.entity = any ($2::%2$s[]) returning j.*
         ), images as (
           select entity, %3$s, %4$s, 1 as weight from taken
           union all
           select entity, %3$s, %5$s, -1 from taken
         ), firsts as (
           select entity, %3$s, %6$s, sum(weight) as weight from images group by entity, %3$s, %7$s
         )
         insert into imago_undo.%1$I (batch, entity, op, %3$s, %8$s, %9$s)
         select $1, j.entity, ''u'', %10$s, %11$s, %12$s
         from firsts j join %13$s t on %14$s
         where j.weight > 0',
        write.undo_table, plan.key_type,
        imago.undo_list('key_%1$s', write.relation, write.key_columns),
        imago.undo_list('before_%1$s::text collate "C" as image_%1$s', write.relation, write.columns),
        imago.undo_list('after_%1$s::text collate "C"', write.relation, write.columns),
        imago.undo_list('image_%1$s', write.relation, write.columns),
        imago.undo_list('image_%1$s', write.relation, write.columns),
        imago.undo_list('before_%1$s', write.relation, write.columns),
        imago.undo_list('after_%1$s', write.relation, write.columns),
        imago.undo_list('j.key_%1$s', write.relation, write.key_columns),
        imago.undo_list('j.image_%1$s::%4$s', write.relation, write.columns),
        imago.undo_list('t.%2$I::%4$s', write.relation, write.columns),
        write.relation, key_join)
      using batch, entities;
    end if;
  end loop;
end
$$;
comment on function imago.settle_batch(bigint, imago.plan, text[]) is 'Brings the journal of a batch to one row for each row written: first image before, the table''s own value after. Only relations captured more than once need it.';

-- sql/engine/functions/share_run.sql
create or replace function imago.share_run(run_id bigint, wait_ms integer default imago.setting_number('state_lock_timeout_ms'))
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  old_timeout text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', wait_ms::text, true);
  -- Row locks are not fair: without the gate, callers whose batches overlap would keep a transition waiting for ever.
  perform pg_advisory_xact_lock_shared(imago.gate(run_id));
  select r.* into run from imago.run r where r.id = run_id for share;
  perform set_config('lock_timeout', old_timeout, true);
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.share_run(bigint, integer) is 'Holds a run for share, so that no transition happens under a batch, and re-reads its state; IM016 when a transition is waiting or under way.';

-- sql/engine/functions/start_rollback.sql
create or replace function imago.start_rollback(plan_name text, force boolean, caused_by bigint default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.unfinished_run(plan_name);
  started imago.run;
begin
  perform imago.check_journal(plan_name);
  if run.direction = 'forward' then
    perform imago.transit(run.id, 'supersede', 'rollback');
    run := null;
  end if;
  if run.id is null then
    delete from imago.failure f where f.plan = plan_name and f.direction = 'rollback' and f.kind <> 'held';
    run := imago.open_run(plan_name, 'rollback', force => force, caused_by => caused_by);
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

-- sql/engine/functions/start_run.sql
create or replace function imago.start_run(run_id bigint, size integer default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  plan imago.plan;
  source record;
begin
  if run.state <> 'pending' then
    return run.state;
  end if;
  select p.* into plan from imago.plan p where p.name = run.plan;
  perform imago.cut_lanes(run, plan, size);
  select * into source from imago.count_source(plan);
  update imago.run r set total = source.total, total_is_estimate = source.is_estimate where r.id = run_id;
  return imago.transit(run_id, 'start');
end
$$;
comment on function imago.start_run(bigint, integer) is 'Cuts the lanes of a pending run and starts it; others that come at the same time wait and find it started.';

-- sql/engine/functions/stop_run.sql
create or replace function imago.stop_run(run imago.run, code text, sqlstate text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  failures bigint;
begin
  if code = 'IM020' then
    select count(*) into failures from imago.failure f where f.run = stop_run.run.id and f.kind in ('failed', 'too_large');
  end if;
  begin
    perform imago.transit(run.id, 'fail', case code when 'IM020' then format('%s of %s allowed failures', failures, imago.allowed_failures(run)) else sqlstate end, code);
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
comment on function imago.stop_run(imago.run, text, text) is 'Stops a run as failed and, where the run asks for it, opens its rollback.';

-- sql/engine/functions/stored_columns.sql
create or replace function imago.stored_columns(relation text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select array_agg(a.attname::text order by a.attnum)
  from pg_catalog.pg_attribute a
  where a.attrelid = relation::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;
comment on function imago.stored_columns(text) is 'Columns that hold data of their own: all but generated ones.';

-- sql/engine/functions/table_counters.sql
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
comment on function imago.table_counters() is 'Rows that this session has written so far by kind of write and table ("insert public.users"), unflushed work of before included; take differences.';

-- sql/engine/functions/take_lane.sql
create or replace function imago.take_lane(run_id bigint)
returns imago.lane
language plpgsql
volatile
set search_path = ''
as $$
declare
  lane imago.lane;
begin
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.pass = 'main' and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  if found or exists (select from imago.lane l where l.run = run_id and l.pass = 'main' and not l.done) then
    return lane;
  end if;
  select l.* into lane
  from imago.lane l
  where l.run = run_id and l.pass = 'late' and not l.done
  order by l.processed, l.number
  limit 1
  for update skip locked;
  return lane;
end
$$;
comment on function imago.take_lane(bigint) is 'The least advanced free lane, its row lock being the lease; late lanes only when every main lane is done. Null when others hold all that is left.';

-- sql/engine/functions/timed_out.sql
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

-- sql/engine/functions/touch_columns.sql
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
      where t.tgrelid = a.attrelid and not t.tgisinternal and t.tgname <> '~imago_keep'
        and t.tgtype & 1 = 1 and t.tgtype & 2 = 2 and t.tgtype & 16 = 16)
$$;
comment on function imago.touch_columns(text, text[]) is 'updated_at-like columns that a BEFORE UPDATE row trigger of the app may move; batches keep their old value.';

-- sql/engine/functions/transit.sql
create or replace function imago.transit(run_id bigint, event text, reason text default null, error_code text default null)
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
  where t.event = transit.event and t.from_state = run.state;
  if not found then
    perform imago.raise_error('IM008', event, run.plan, run.state, imago.allowed_events(run.state));
  end if;

  update imago.run r set
    state = next_state,
    reason = transit.reason,
    error_code = transit.error_code,
    started_at = case when next_state = 'running' then coalesce(r.started_at, clock_timestamp()) else r.started_at end,
    finished_at = case when next_state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end
  where r.id = run_id;
  perform imago.write_log(
    run.plan, run_id, case when next_state = 'failed' then 'error' else 'info' end, 'state',
    jsonb_strip_nulls(jsonb_build_object('event', event, 'from', run.state, 'to', next_state, 'reason', reason, 'code', error_code)));
  return next_state;
end
$$;
comment on function imago.transit(bigint, text, text, text) is 'One edge of imago.transition: waits for batches in flight (bounded, else IM016), checks, changes the state and logs.';

-- sql/engine/functions/trouble_statistics.sql
create or replace function imago.trouble_statistics(run imago.run)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with lines as (
    select l.event, l.sqlstate from imago.log l where l.plan = run.plan and l.run = run.id
  ), processed as (
    select coalesce(sum(l.processed), 0) as amount from imago.lane l where l.run = run.id
  )
  select jsonb_build_object(
    'error_rate', round((select count(*) from lines where event in ('failed', 'too_large'))::numeric
      / nullif((select amount from processed), 0), 6),
    'errors_by_sqlstate', coalesce((
      select jsonb_object_agg(s.sqlstate, s.n) from (
        select coalesce(sqlstate, 'none') as sqlstate, count(*) as n from lines where event in ('failed', 'too_large') group by 1) s), '{}'),
    'deferred_batches', (select count(*) from lines where event = 'deferred'),
    'halved_batches', (select count(*) from lines where event = 'halved'),
    'timed_out_batches', (select count(*) from lines where event = 'timeout'),
    'lock_timeouts_55P03', (select count(*) from lines where sqlstate = '55P03'),
    'deadlocks_40P01', (select count(*) from lines where sqlstate = '40P01'))
$$;
comment on function imago.trouble_statistics(imago.run) is 'Errors, deferrals, halvings, lock timeouts and deadlocks of a run, from its log.';

-- sql/engine/functions/undeclared_probe.sql
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
       select o, n from old_rows o join new_rows n on %3$s
       where not exists (select from imago_undo.%4$I j where j.entity = n.%5$I and j.op = ''i'' and %6$s)
       limit 1000
     ) changed
     cross join lateral jsonb_each(to_jsonb(o)) b join lateral jsonb_each(to_jsonb(n)) a on a.key = b.key
     where a.value is distinct from b.value and a.key <> all (%7$L::text[])
     group by a.key;',
    write.plan, write.relation,
    (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(write.key_columns) c),
    write.undo_table, write.entity_column,
    imago.undo_list('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
    write.columns || array(
      select a.attname::text from pg_catalog.pg_attribute a
      where a.attrelid = write.relation::pg_catalog.regclass and a.attgenerated <> '' and not a.attisdropped))
$$;
comment on function imago.undeclared_probe(imago.plan_write) is 'SQL for the capture function: in a dry run, notes columns that changed and are not declared.';

-- sql/engine/functions/undo_columns.sql
create or replace function imago.undo_columns(relation text, columns text[])
returns table (ordinal integer, name text, type text, kept text, comparable boolean, nullable boolean, collated text)
language sql
stable
set search_path = ''
as $$
  select
    c.ordinal::integer,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    imago.undo_type(a.atttypid, a.atttypmod),
    imago.undo_type(a.atttypid, -1) in (
      'boolean', 'smallint', 'integer', 'bigint', 'oid', 'uuid', 'date', 'bytea',
      'timestamp without time zone', 'timestamp with time zone'),
    not a.attnotnull,
    (select format('collate %I.%I', l.collnamespace::pg_catalog.regnamespace, l.collname)
     from pg_catalog.pg_collation l where l.oid = a.attcollation and l.collname <> 'default')
  from unnest(columns) with ordinality c(name, ordinal)
  join pg_catalog.pg_attribute a
    on a.attrelid = relation::pg_catalog.regclass and a.attname = c.name and a.attnum > 0 and not a.attisdropped
  order by c.ordinal
$$;
comment on function imago.undo_columns(text, text[]) is 'The named columns in the given order: own type, type and collation in the journal, and whether two values of that type that are equal are also the same (1.0 and 1.00, or a citext in other letters, are not).';

-- sql/engine/functions/undo_list.sql
create or replace function imago.undo_list(template text, relation text, columns text[], separator text default ', ')
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(
    format(template, c.ordinal, c.name, c.type, c.kept, case when c.comparable then c.kept else 'text collate "C"' end),
    separator order by c.ordinal)
  from imago.undo_columns(relation, columns) c
$$;
comment on function imago.undo_list(text, text, text[], text) is 'Writes a template once for each column: %1 position, %2 name, %3 type, %4 type in the journal, %5 type to compare by, so that a value changed to an equal one is a change.';

-- sql/engine/functions/undo_name.sql
create or replace function imago.undo_name(plan text, relation text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when relation ~ '^public\.[a-z0-9_]+$' and octet_length(name) <= 45 then name
    else left(name, 36) || '_' || left(md5(undo_name.plan || ' ' || relation), 8)
  end
  from (select undo_name.plan || '_' || regexp_replace(lower(relation), '[^a-z0-9]+', '_', 'g') as name) full_name
$$;
comment on function imago.undo_name(text, text) is 'Name of an undo table: readable, short enough to carry suffixes, distinct for names that differ late, by a letter''s case or by what is no letter.';

-- sql/engine/functions/undo_print.sql
create or replace function imago.undo_print(alias text, columns text[])
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'pg_catalog.hashtextextended(row(%s)::text, 0)',
    (select string_agg(format('%I.%I', alias, c), ', ') from unnest(columns) c))
$$;
comment on function imago.undo_print(text, text[]) is 'SQL expression: the fingerprint of a row, for use where timezone and formats are fixed.';

-- sql/engine/functions/undo_rows.sql
create or replace function imago.undo_rows(write imago.plan_write, plan imago.plan, entities text[])
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  written_again boolean;
  keys text := imago.undo_list('key_%1$s', write.relation, write.key_columns);
  source text := format('imago_undo.%I u where u.entity = any ($1::%s[]) and u.op = ''u''', write.undo_table, plan.key_type);
begin
  if write.inserts then
    source := source || format(
      ' and not exists (select from imago_undo.%I i where i.entity = u.entity and i.op = ''i'' and %s)',
      write.undo_table, imago.undo_list('i.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '));
  end if;
  execute format(
    'select exists (select from imago_undo.%I u where u.entity = any ($1::%s[]) group by u.entity having min(u.batch) < max(u.batch))',
    write.undo_table, plan.key_type)
  into written_again using entities;
  if not written_again then
    return format('select u.entity, %s, %s, %s from %s',
      imago.undo_list('u.key_%1$s', write.relation, write.key_columns),
      imago.undo_list('u.before_%1$s', write.relation, write.columns),
      imago.undo_list('u.after_%1$s', write.relation, write.columns), source);
  end if;
  return format(
    'select f.entity, %1$s, %2$s, %3$s from
       (select distinct on (%4$s) u.* from %5$s order by %4$s, u.batch) f
       join (select distinct on (%4$s) u.* from %5$s order by %4$s, u.batch desc) l on %6$s',
    imago.undo_list('f.key_%1$s', write.relation, write.key_columns),
    imago.undo_list('f.before_%1$s', write.relation, write.columns),
    imago.undo_list('l.after_%1$s', write.relation, write.columns),
    keys, source,
    imago.undo_list('f.key_%1$s = l.key_%1$s', write.relation, write.key_columns, ' and '));
end
$$;
comment on function imago.undo_rows(imago.plan_write, imago.plan, text[]) is 'SQL: the updates of the entities $1, one row for each row written: before of the first batch, after of the last.';

-- sql/engine/functions/undo_type.sql
create or replace function imago.undo_type(type oid, modifier integer)
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
    return imago.undo_type(found_type.typbasetype, found_type.typtypmod);
  end if;
  select t.typtype into element_kind from pg_catalog.pg_type t where t.oid = found_type.typelem;
  if found_type.typtype = 'e' or element_kind in ('e', 'd') then
    return 'text';
  end if;
  return pg_catalog.format_type(type, modifier);
end
$$;
comment on function imago.undo_type(oid, integer) is 'Type of a journaled column: the base type of a domain, text for enums, else its own.';

-- sql/engine/functions/unfinished_run.sql
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

-- sql/engine/functions/walk_again.sql
create or replace function imago.walk_again(run_id bigint)
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
comment on function imago.walk_again(bigint) is 'Has the late lanes walked once more, because looking for what is left does not fit one call.';

-- sql/engine/functions/work.sql
create or replace function imago.work(run_id bigint, max_ms integer, fixed_size integer default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  plan imago.plan;
  lane imago.lane;
  moves imago.moves;
  totals jsonb := '{}';
  rows jsonb := '{}';
  outcome text := 'working';
  attempts_left integer := imago.setting_number('max_sub_batches');
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
  old_timeout text := current_setting('lock_timeout');
begin
  begin
    run := imago.share_run(run_id, imago.setting_number('lock_timeout_ms'));
  exception when sqlstate 'IM016' then
    return imago.answer(run_id, 'busy', '{}', '{}', started);
  end;
  perform set_config('lock_timeout', imago.setting_number('lock_timeout_ms')::text, true);
  select p.* into plan from imago.plan p where p.name = run.plan;
  if run.state <> 'running' then
    outcome := case run.state when 'succeeded' then 'done' when 'cancelled' then 'working' else run.state end;
  elsif imago.over_budget(run) then
    outcome := imago.stop_run(run, 'IM020', null);
  end if;

  while outcome = 'working' and run.state = 'running' and attempts_left > 0
        and (clock_timestamp() < deadline or totals = '{}') loop
    lane := imago.take_lane(run.id);
    if lane.run is not null then
      moves := imago.work_lane(run, plan, lane, deadline, attempts_left, fixed_size);
    elsif exists (select from imago.lane l where l.run = run.id and not l.done) then
      outcome := 'busy';
      exit;
    else
      moves := imago.finish_run(run, plan, deadline, attempts_left);
    end if;
    attempts_left := attempts_left - moves.attempts;
    rows := imago.add_counts(rows, moves.rows);
    totals := imago.add_counts(totals, jsonb_build_object(
      -- What the late pass only looks at has been counted by the main pass.
      'processed', case when lane.pass = 'main' or lane.pass = 'late' and run.late_only then moves.resolved else moves.moved + moves.failed end,
      'moved', moves.moved, 'failed', moves.failed, 'sub_batches', moves.attempts));
    case moves.outcome
      when 'busy', 'deferred', 'done' then outcome := moves.outcome;
      when 'timeout' then exit;
      when 'incomplete' then
        perform imago.walk_again(run.id);
        exit;
      when 'stop' then outcome := imago.stop_run(run, 'IM021', moves.sqlstate);
      when 'budget' then outcome := imago.stop_run(run, 'IM020', null);
      else null;
    end case;
  end loop;

  perform set_config('lock_timeout', old_timeout, true);
  return imago.answer(run_id, outcome, totals, rows, started);
end
$$;
comment on function imago.work(bigint, integer, integer) is 'One call''s worth of work on a run: takes free lanes and moves their entities until the time budget is used or nothing is left.';

-- sql/engine/functions/work_lane.sql
create or replace function imago.work_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  deadline timestamptz,
  attempts_left integer,
  fixed_size integer
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  total imago.moves;
  moves imago.moves;
  keys text[];
  todo text[];
  started timestamptz;
begin
  total := row('time', 0, 0, 0, 0, 0, null, '{}');
  if lane.pass = 'main' and lane.processed = 0 and lane.cursor_key is null and lane.deferrals = 0 then
    lane.batch_size := imago.first_size(lane);
  end if;
  while not lane.done and total.attempts < attempts_left and (clock_timestamp() < deadline or total.attempts = 0) loop
    started := clock_timestamp();
    lane.batch_size := least(lane.batch_size, coalesce(fixed_size, 10000));
    begin
      keys := imago.next_keys(run, plan, lane);
      todo := imago.movable_keys(run, plan, lane, keys);
    exception
      when query_canceled then
        -- A size of one that does not fit cannot be made smaller: the caller has to know.
        if not imago.timed_out() or lane.batch_size = 1 then
          raise;
        end if;
        lane.batch_size := greatest(1, lane.batch_size / 4);
        total.outcome := 'timeout';
        exit;
      when syntax_error_or_access_rule_violation then
        total.outcome := 'stop';
        total.sqlstate := sqlstate;
        exit;
    end;
    if keys is null then
      lane.done := true;
      exit;
    end if;

    moves := imago.move_keys(run, plan, todo, lane.pass, lane.batch_size, deadline, attempts_left - total.attempts, lane.deferrals);
    total.attempts := total.attempts + greatest(1, moves.attempts);
    total.moved := total.moved + moves.moved;
    total.failed := total.failed + moves.failed;
    total.rows := imago.add_counts(total.rows, moves.rows);
    total.sqlstate := moves.sqlstate;
    if moves.outcome = 'done' then
      lane.cursor_key := keys[cardinality(keys)];
      total.resolved := total.resolved + cardinality(keys);
      lane.processed := lane.processed + cardinality(keys);
      lane.deferrals := 0;
      -- The rest of a lane says nothing about the size that fits the next one.
      if cardinality(keys) >= lane.batch_size then
        lane.batch_size := imago.next_size(cardinality(keys), clock_timestamp() - started, fixed_size);
      end if;
    else
      if moves.resolved > 0 then
        lane.processed := lane.processed + array_position(keys, todo[moves.resolved]);
        total.resolved := total.resolved + array_position(keys, todo[moves.resolved]);
        lane.cursor_key := todo[moves.resolved];
      end if;
      lane.batch_size := moves.next_size;
      lane.deferrals := case when moves.outcome = 'deferred' then lane.deferrals + 1 else lane.deferrals end;
      total.outcome := moves.outcome;
      exit;
    end if;
  end loop;

  update imago.lane l set
    cursor_key = lane.cursor_key, batch_size = lane.batch_size, processed = lane.processed, moved = l.moved + total.moved,
    failed = l.failed + total.failed, deferrals = lane.deferrals, done = lane.done, updated_at = clock_timestamp()
  where l.run = lane.run and l.pass = lane.pass and l.number = lane.number;
  if total.outcome in ('timeout', 'deferred') then
    perform imago.write_log(run.plan, run.id, 'warning', total.outcome,
      jsonb_build_object('lane', lane.number, 'pass', lane.pass, 'batch_size', lane.batch_size, 'deferrals', lane.deferrals),
      null, coalesce(total.sqlstate, '57014'));
  end if;
  return total;
end
$$;
comment on function imago.work_lane(imago.run, imago.plan, imago.lane, timestamptz, integer, integer) is 'Works one lane, whose row the caller holds, until its end or the end of the call''s budget, and moves its cursor.';

-- sql/engine/functions/write_log.sql
create or replace function imago.write_log(
  plan text,
  run bigint,
  level text,
  event text,
  detail jsonb default '{}',
  entity text default null,
  sqlstate text default null,
  batch bigint default null
)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.log (plan, run, level, event, detail, entity, sqlstate, batch)
  values (plan, run, level, event, coalesce(detail, '{}'), entity, sqlstate, batch)
$$;
comment on function imago.write_log(text, bigint, text, text, jsonb, text, text, bigint) is 'Adds a line to imago.log. Detail holds names, codes and counts, never values of rows.';

-- sql/engine/functions/writers_in_flight.sql
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
      select pg_catalog.to_regclass(format('%I.%I', plan.source_schema, plan.source_table)))
$$;
comment on function imago.writers_in_flight(imago.plan) is 'Virtual transactions that have written, or are about to write, the plan''s tables and have not ended.';

-- sql/api/views/migration_log.sql
create view public.migration_log
with (security_invoker = true)
as
select l.created_at, l.plan, l.run, l.batch, l.level, l.event, l.entity, l.sqlstate, l.detail
from imago.log l
union all
select
  b.created_at, r.plan, b.run, b.id, 'debug', case b.direction when 'rollback' then 'rollback' else 'batch' end, null, null,
  jsonb_build_object('path', b.path, 'size', b.size, 'moved', b.moved, 'ms', b.ms, 'rows', b.rows)
from imago.batch b
join imago.run r on r.id = b.run;
comment on view public.migration_log is 'Imago: what happened, newest last by created_at. Keys, codes and counts, no personal data.';

-- sql/api/functions/cancel_migration.sql
create or replace function public.cancel_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.change_state(plan, 'cancel');
end
$$;
comment on function public.cancel_migration(text) is 'Imago: gives the run up. What was moved stays moved and can still be rolled back.';

-- sql/api/functions/dry_run_migration.sql
create or replace function public.dry_run_migration(
  plan text default 'avatars',
  mode text default 'sample',
  batch_size integer default null,
  max_ms integer default 2000
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform imago.find_plan(plan);
  perform imago.check_size(batch_size, max_ms);
  return imago.dry_run(plan, mode, batch_size, max_ms);
end
$$;
comment on function public.dry_run_migration(text, text, integer, integer) is 'Imago: the real run, taken back. mode sample (at most max_ms of work), full (everything, in one transaction) or preflight (looks, locks nothing). Reports rows, failures, side effects, WAL, rate and an estimate of the whole.';

-- sql/api/functions/get_detailed_migration_progress.sql
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
comment on function public.get_detailed_migration_progress(text) is 'Imago: state, phase, counts, completion, users a minute, remaining seconds and lanes. Changes nothing. total_is_estimate says when counts are estimates.';

-- sql/api/functions/get_migration_performance_stats.sql
create or replace function public.get_migration_performance_stats(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  run imago.run := imago.last_run(plan);
begin
  return imago.batch_statistics(run.id) || imago.trouble_statistics(run) || imago.server_statistics()
    || jsonb_build_object('plan', found_plan.name, 'run', run.id, 'direction', run.direction, 'state', coalesce(run.state, 'none'));
end
$$;
comment on function public.get_migration_performance_stats(text) is 'Imago: rates, batch times (p50, p95, p99, max), batch sizes, errors, rows and WAL of the newest run, and the server''s connections and cache hits. WAL is server-wide while a batch ran.';

-- sql/api/functions/get_migration_statistics.sql
create or replace function public.get_migration_statistics(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  total bigint;
  pending bigint := 0;
  own jsonb;
begin
  perform imago.check_source(found_plan);
  execute format('select count(*) from %I.%I', found_plan.source_schema, found_plan.source_table) into total;
  pending := imago.count_pending(found_plan);
  execute format('select %I.statistics()', found_plan.name) into own;
  return jsonb_build_object(
    'plan', plan, 'total_users', total, 'migrated_users', greatest(0, total - pending), 'users_needing_migration', pending,
    'migration_completion_percentage', imago.percentage(greatest(0, total - pending), pending)) || own;
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of migrated users, users that need it, and avatars. Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';

-- sql/api/functions/migrate_batch.sql
create or replace function public.migrate_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default true,
  max_failures text default null,
  on_failure text default 'stop'
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  run imago.run;
  result jsonb;
begin
  perform imago.find_plan(plan);
  perform imago.check_size(batch_size, max_ms);
  perform imago.check_options(backup, max_failures, on_failure, dry_run);
  if dry_run then
    return imago.dry_run(plan, 'sample', batch_size, max_ms);
  end if;

  begin
    run := imago.forward_run(plan, backup, max_failures, on_failure);
  exception when sqlstate 'IM016' then
    return imago.answer((imago.last_run(plan)).id, 'busy', '{}', '{}', statement_timestamp());
  end;
  if run.direction = 'rollback' then
    result := imago.work(run.id, max_ms, batch_size);
    return result || case result ->> 'status'
      when 'done' then jsonb_build_object('status', 'failed', 'error', (select imago.error_of(r) from imago.run r where r.id = run.caused_by))
      else '{}' end;
  end if;
  if run.state = 'failed' then
    return imago.answer(run.id, 'failed', '{}', '{}', clock_timestamp());
  end if;
  if run.state = 'pending' then
    if (select p.prepared_at is null from imago.plan p where p.name = migrate_batch.plan) then
      result := imago.prepare_step(plan);
      return imago.answer(run.id, 'preparing', '{}', '{}', statement_timestamp())
        || jsonb_build_object('step', result -> 'step', 'warnings', result -> 'warnings', 'retry_after_ms', result -> 'retry_after_ms');
    end if;
    begin
      perform imago.start_run(run.id, batch_size);
    exception when sqlstate 'IM016' then
      return imago.answer(run.id, 'busy', '{}', '{}', statement_timestamp());
    end;
  end if;
  return imago.work(run.id, max_ms, batch_size);
end
$$;
comment on function public.migrate_batch(text, integer, integer, boolean, boolean, text, text) is 'Imago: one call''s worth of a migration, within max_ms milliseconds. Call it, from as many places as you like, until has_more is false. status: preparing, working, done, paused, busy, deferred (wait retry_after_ms) or failed (see error).';

-- sql/api/functions/migrate_user_to_avatar_centric.sql
create or replace function public.migrate_user_to_avatar_centric(user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate_entity('avatars', user_id::text);
end
$$;
comment on function public.migrate_user_to_avatar_centric(uuid) is 'Imago: moves one user now, through the journal (a canary). Also releases a user who was rolled back alone.';

-- sql/api/functions/migrate_users_batch.sql
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
comment on function public.migrate_users_batch(integer, integer) is 'Imago: moves the users of one window over all users in key order, so that (100,0), (100,100), … works whatever was moved before. next_offset leads to work that is left; has_more false means that none is.';

-- sql/api/functions/pause_migration.sql
create or replace function public.pause_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.change_state(plan, 'pause');
end
$$;
comment on function public.pause_migration(text) is 'Imago: stops after the batches in flight; nothing is lost, resume_migration goes on.';

-- sql/api/functions/prepare_migration.sql
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

-- sql/api/functions/resume_migration.sql
create or replace function public.resume_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.change_state(plan, 'resume');
end
$$;
comment on function public.resume_migration(text) is 'Imago: lets a paused run go on; callers of migrate_batch do the work.';

-- sql/api/functions/retry_failed_migrations.sql
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
comment on function public.retry_failed_migrations(text) is 'Imago: forgets that entities failed, were blocked or too large, and lets the run try them again; migrate_batch (or rollback_batch) does the work. Held entities stay held.';

-- sql/api/functions/rollback_all_migrations.sql
create or replace function public.rollback_all_migrations(plan text default 'avatars', force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  result jsonb;
  rolled_back bigint := 0;
  rows jsonb := '{}';
  deferrals integer := 0;
begin
  loop
    result := public.rollback_batch(plan, 3600000, force);
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
  elsif (result ->> 'has_more')::boolean then
    perform imago.raise_error('IM016', plan);
  end if;
  return result || jsonb_build_object('rolled_back', rolled_back, 'rows', rows);
end
$$;
comment on function public.rollback_all_migrations(text, boolean) is 'Imago: takes a whole migration back in one transaction. For big ones call rollback_batch until has_more is false instead: it commits as it goes and fits the API''s timeout.';

-- sql/api/functions/rollback_batch.sql
create or replace function public.rollback_batch(plan text default 'avatars', max_ms integer default 2000, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  run imago.run;
begin
  perform imago.find_plan(plan);
  perform imago.check_size(null, max_ms);
  if force is null then
    perform imago.raise_error('IM004', 'force');
  end if;
  run := imago.last_run(plan);
  if run.id is null then
    perform imago.raise_error('IM022', plan);
  end if;
  begin
    run := imago.start_rollback(plan, force);
  exception when sqlstate 'IM016' then
    return imago.answer(run.id, 'busy', '{}', '{}', statement_timestamp()) - 'migrated' || '{"direction": "rollback", "rolled_back": 0}';
  end;
  return imago.work(run.id, max_ms);
end
$$;
comment on function public.rollback_batch(text, integer, boolean) is 'Imago: one call''s worth of taking a migration back, within max_ms milliseconds. Call until has_more is false. What people changed since is left alone and reported (conflicts) unless force is true; references are never overridden.';

-- sql/api/functions/rollback_user_migration.sql
create or replace function public.rollback_user_migration(user_id uuid, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.rollback_entity('avatars', user_id::text, force);
end
$$;
comment on function public.rollback_user_migration(uuid, boolean) is 'Imago: takes one user back, whole or not at all, and holds him: no batch moves him again until migrate_user_to_avatar_centric asks for it. Conflicts name relation, key and reason.';

-- sql/api/grants.sql
-- Supabase grants nothing on new objects any more, and older projects grant everything: so both ways are written out.
do $$
declare
  routine regprocedure;
begin
  for routine in
    select p.oid from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'imago'
       or n.nspname = 'public' and pg_catalog.obj_description(p.oid, 'pg_proc') like 'Imago: %'
  loop
    execute format('revoke all on function %s from public, anon, authenticated', routine);
  end loop;
  for routine in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_catalog.obj_description(p.oid, 'pg_proc') like 'Imago: %'
  loop
    execute format('grant execute on function %s to service_role', routine);
  end loop;
end
$$;
revoke all on public.migration_log from public, anon, authenticated;
grant select on public.migration_log to service_role;
grant usage on schema imago to service_role;
grant select on imago.log, imago.batch, imago.run to service_role;
