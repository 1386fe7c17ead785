create table if not exists imago_fleet.version (
  version integer not null,
  installed_at timestamptz not null default clock_timestamp()
);
alter table imago_fleet.version add column if not exists ticked_at timestamptz;
create unique index if not exists version_is_one_row on imago_fleet.version ((true));

comment on column imago_fleet.version.ticked_at is 'When somebody decided last what is due. Ahead: the clock was set back.';
comment on table imago_fleet.version is 'The version of this schema. A command refuses one that is newer than it knows.';
