create table imago.throttle (
  plan text primary key references imago.plan on delete cascade,
  hours_from time,
  hours_to time,
  time_zone text,
  max_per_second integer check (max_per_second > 0),
  throttle_query text,
  ignored text[] not null default '{}',
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  check ((hours_from is null) = (hours_to is null) and (hours_from is null) = (time_zone is null))
);
comment on table imago.throttle is 'What operators ask of the runs of a plan, set by throttle_migration: it holds for every run, no matter who drives it.';
comment on column imago.throttle.hours_from is 'Runs work from this time of the day on; null: at any time.';
comment on column imago.throttle.hours_to is 'Runs work until this time of the day; earlier than hours_from, it is that of the next day.';
comment on column imago.throttle.time_zone is 'Where hours_from and hours_to are meant.';
comment on column imago.throttle.max_per_second is 'Entities that all callers together may move in a second; null: any number.';
comment on column imago.throttle.throttle_query is 'SQL of the operator, one boolean: while it is true, runs are held.';
comment on column imago.throttle.ignored is 'Signals that the governor does not look at.';
