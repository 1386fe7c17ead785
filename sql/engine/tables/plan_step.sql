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
