create table if not exists imago_fleet.rollout (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('migrate', 'rollback', 'push')),
  plan text check ((kind = 'push') = (plan is null)),
  options jsonb not null,
  state text not null default 'running'
    check (state in ('running', 'paused', 'stopped', 'succeeded', 'failed', 'cancelled')),
  code text,
  reason text,
  wave integer not null default 1,
  stop_percent numeric,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create unique index if not exists rollout_open_once on imago_fleet.rollout (coalesce(plan, ''))
  where state in ('running', 'paused', 'stopped');

comment on table imago_fleet.rollout is 'One plan over many members, there or back, or the migrations of a project over them.';
comment on column imago_fleet.rollout.options is 'As it was asked for: waves, which members, caps, and what the runs of the members are given.';
comment on column imago_fleet.rollout.state is 'running, paused and stopped are open: one of a plan. stopped: by the gate of a wave or the budget; failed: ended, and members are left that failed.';
comment on column imago_fleet.rollout.wave is 'The number of the wave that is being worked.';
comment on column imago_fleet.rollout.stop_percent is 'Of all members so many percent may fail; one more stops the rollout. Null: no limit.';
