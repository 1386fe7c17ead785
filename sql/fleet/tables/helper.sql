create table if not exists imago_fleet.helper (
  worker uuid not null,
  rollout bigint not null,
  member text not null,
  moved bigint not null,
  per_minute bigint,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (rollout, member, worker),
  foreign key (rollout, member) references imago_fleet.rollout_member on delete cascade
);

comment on table imago_fleet.helper is 'What workers that help with one member have moved there, beside the worker that has it.';
comment on column imago_fleet.helper.moved is 'Entities that this worker has moved in this rollout, or taken back.';
