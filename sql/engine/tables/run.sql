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
  cohort jsonb,
  validation bigint,
  findings jsonb,
  total bigint,
  dead_before jsonb not null default '{}',
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
comment on column imago.run.dead_before is 'Dead rows of each table of the plan when the run began, as the server counted them.';
comment on column imago.run.cohort is 'Of a run forward that does not take all: the percentage, the number of keys and the names of its cohort. Null: all.';
comment on column imago.run.late_only is 'The plan was walked before: only the late pass is needed.';

create unique index run_unfinished_key on imago.run (plan) where state in ('pending', 'running', 'paused');
comment on index imago.run_unfinished_key is 'At most one unfinished run a plan.';
create index run_plan_idx on imago.run (plan, id);
