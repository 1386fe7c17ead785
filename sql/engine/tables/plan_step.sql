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
