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
rate: max_per_second is used up, or other callers hold the rest of it.
busy: another caller holds what this one needs.
deferred: somebody holds a lock; try again in a moment.
timeout: the statement timeout came; the next call takes fewer at once.
incomplete: the remaining entities, or looking for them, do not fit a call: the late pass goes over all once more.
external: the stage is done outside, by a driver that claims its entities.
claimed: others have claimed all that is left of an external stage.
built: an index was built, and writers of its table wait for the end of the call.
budget: more entities have failed than max_failures allows.
stop: the server is in trouble, or the schema does not fit (see sqlstate; error_code and error_detail are what the run ends with).';

create type imago.way_back as (
  rows bigint,
  again boolean,
  altered boolean,
  moved boolean
);
comment on type imago.way_back is 'What one part of a rollback came to, for one declared write. again: an entity was written by several batches; altered: something changed what was restored, or is to be removed; moved: or its key.';

create type imago.returned as (
  token uuid,
  results jsonb,
  failures jsonb
);
comment on type imago.returned is 'What comes back of a claim: by key, what the function outside gave, and why it gave nothing.';

create type imago.measurement as (
  signal text,
  name text,
  value numeric,
  capacity numeric
);
comment on type imago.measurement is 'What was read of a signal. name: of what, where there can be several. capacity: what the value is a part of, or is compared with.';

create type imago.claim as (
  entities integer,
  slots integer[],
  seconds_each numeric
);
comment on type imago.claim is 'How many entities a caller may move now by max_per_second. slots: those of imago.allowance that it has locked for them. seconds_each: of a slot, for one entity.';

create type imago.problem as (
  severity text,
  kind text,
  object text,
  message text,
  hint text
);
comment on type imago.problem is 'For plans: what preflight() returns a set of: something that speaks against starting, or is good to know before. severity: error, warning or notice. kind: a code, of Imago (missing_relation, not_a_table, foreign_owner, foreign_source, no_primary_key, missing_column, key_column, key_type, wrong_type, not_unique, no_index, no_value, limitation, guard_trigger, open_schema, visibility, more_visible) or the plan''s own. object, message and hint are for people.';

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

create type imago.cost as (
  moved bigint,
  ms numeric,
  wal_bytes numeric,
  images bigint,
  records bigint
);
comment on type imago.cost is 'What a rehearsal has cost so far, and for how many entities. Write-ahead log is that of this session alone: bytes, images of whole pages, and records.';

create type imago.forecast as (
  entities bigint,
  is_estimate boolean,
  wal_bytes numeric,
  wal_bytes_least numeric,
  entity_wal numeric,
  journal_bytes numeric,
  table_bytes numeric,
  dead_rows jsonb,
  seconds numeric,
  wal_per_second numeric,
  unknown_stages integer[]
);
comment on type imago.forecast is 'What all that is pending will write, and in how long, from what a rehearsal has measured. wal_bytes_least: without images of whole pages. entity_wal: of the stage that writes most for an entity. table_bytes: by which the app''s tables grow, room of dead rows included.';

create type imago.forecast_problem as (
  severity text,
  signal text,
  name text,
  room numeric,
  needed numeric,
  max_per_second integer,
  message text,
  remedy text
);
comment on type imago.forecast_problem is 'What a forecast speaks against. error: the governor would hold the run there; warning: would slow it. max_per_second: a limit under which it would not.';
