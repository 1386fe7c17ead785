create table if not exists imago_fleet.wave (
  rollout bigint not null references imago_fleet.rollout on delete cascade,
  number integer not null,
  name text not null,
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'soaking', 'checking', 'passed', 'stopped')),
  is_accepted boolean not null default false,
  begun_at timestamptz,
  worked_at timestamptz,
  checked_at timestamptz,
  passed_at timestamptz,
  primary key (rollout, number)
);

comment on table imago_fleet.wave is 'The waves of a rollout, worked one after the other.';
comment on column imago_fleet.wave.is_accepted is 'Somebody has said that it goes on despite the members of this wave that failed.';
comment on column imago_fleet.wave.worked_at is 'When the last of its members had ended; the soak begins then.';
comment on column imago_fleet.wave.checked_at is 'When the checks after the soak were begun.';
