create table if not exists imago_fleet.member (
  name text primary key check (name ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$'),
  kind text not null check (kind in ('database', 'project')),
  url text check ((kind = 'project') = (url is not null)),
  secret_kind text not null check (secret_kind in ('env', 'file', 'vault')),
  secret_name text not null check (secret_name <> ''),
  labels text[] not null default '{}',
  wave text check (wave ~ '^[a-z][a-z0-9_-]{0,40}$'),
  server text check (server <> ''),
  address text,
  engine integer,
  seen_at timestamptz,
  added_at timestamptz not null default clock_timestamp()
);

comment on table imago_fleet.member is 'The databases of the fleet. No secret stands here: only where it lies.';
comment on column imago_fleet.member.kind is 'database: reached by a database URL; project: by the URL of its API and a secret key.';
comment on column imago_fleet.member.url is 'Of a project: the URL of its API.';
comment on column imago_fleet.member.secret_kind is 'Where the database URL or the key lies: env, a variable of the worker; file, on its machine; vault, in the Vault of this database.';
comment on column imago_fleet.member.secret_name is 'The name of the variable or secret, or the path of the file.';
comment on column imago_fleet.member.wave is 'The named wave that it belongs to, like canary; null: taken by percentages.';
comment on column imago_fleet.member.server is 'The server that it shares with others, for the cap; null: host and port, once they were seen.';
comment on column imago_fleet.member.address is 'Host, port and database, without login: as a worker or command has last seen it.';
comment on column imago_fleet.member.engine is 'The version of the engine in it, as last seen.';
