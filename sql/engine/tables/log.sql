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
