create table if not exists imago_fleet.event (
  id bigint generated always as identity primary key,
  rollout bigint not null references imago_fleet.rollout on delete cascade,
  at timestamptz not null default clock_timestamp(),
  event text not null,
  member text,
  detail text
);
create index if not exists event_by_rollout on imago_fleet.event (rollout, id);

comment on table imago_fleet.event is 'What was decided about a rollout, and when: begun, wave passed, stopped, paused, taken over.';
