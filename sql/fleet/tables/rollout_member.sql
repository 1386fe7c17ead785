create table if not exists imago_fleet.rollout_member (
  rollout bigint not null references imago_fleet.rollout on delete cascade,
  member text not null references imago_fleet.member,
  wave integer not null,
  task text not null default 'move' check (task in ('move', 'check')),
  is_retry boolean not null default false,
  state text not null default 'pending'
    check (state in ('pending', 'working', 'waiting', 'succeeded', 'failed', 'skipped')),
  code text,
  reason text,
  hint text,
  moved bigint not null default 0,
  remaining bigint,
  per_minute bigint,
  worked_ms bigint not null default 0,
  engine integer,
  attempt integer not null default 0,
  tries integer not null default 0,
  lost integer not null default 0,
  worker uuid,
  queued_at timestamptz,
  due_at timestamptz,
  begun_at timestamptz,
  seen_at timestamptz,
  ended_at timestamptz,
  primary key (rollout, member)
);
alter table imago_fleet.rollout_member add column if not exists first_run bigint;
create index if not exists rollout_member_by_state on imago_fleet.rollout_member (rollout, state, wave);
create index if not exists rollout_member_by_member on imago_fleet.rollout_member (member);

comment on table imago_fleet.rollout_member is 'How far each member of a rollout is. This decides; jobs only say which one to look at next.';
comment on column imago_fleet.rollout_member.task is 'move: the run itself; check: the checks of the plan, after the soak of the wave.';
comment on column imago_fleet.rollout_member.is_retry is 'What was set aside in it is to be tried again.';
comment on column imago_fleet.rollout_member.code is 'Why it waits, failed or was left alone: an SQLSTATE, or a word of the fleet.';
comment on column imago_fleet.rollout_member.first_run is 'The first run there, of imago.run, that this rollout has worked on.';
comment on column imago_fleet.rollout_member.moved is 'Entities that its runs have moved there, or taken back.';
comment on column imago_fleet.rollout_member.remaining is 'Entities left, as last counted; null: nobody has counted.';
comment on column imago_fleet.rollout_member.attempt is 'How often it was taken. What an earlier taker says is not believed.';
comment on column imago_fleet.rollout_member.tries is 'Times in a row that it could not be reached or worked.';
comment on column imago_fleet.rollout_member.lost is 'Workers that have died over it.';
comment on column imago_fleet.rollout_member.queued_at is 'When it was last handed to the queue; null: there is no job for it.';
comment on column imago_fleet.rollout_member.due_at is 'Of waiting: when it is tried again.';
