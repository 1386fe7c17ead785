create table imago.notice (
  id bigint generated always as identity primary key,
  plan text references imago.plan on delete cascade,
  run bigint references imago.run on delete cascade,
  event text not null check (event in ('state', 'held', 'failure', 'test')),
  way text not null check (way in ('net', 'driver', 'realtime')),
  detail jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  request bigint,
  outcome text,
  sent_at timestamptz,
  given_up_at timestamptz
);
comment on table imago.notice is 'A word to people about a run, one row for each way that it goes. It is written with what it tells of, and sent at least once.';
comment on column imago.notice.event is 'A run came into another state, was held for long, or set its first entity aside; or somebody tries the way.';
comment on column imago.notice.way is 'net: a webhook by pg_net. driver: one by the driver of the run. realtime: a message of Supabase Realtime.';
comment on column imago.notice.detail is 'Names, codes and counts; never keys or values of rows.';
comment on column imago.notice.due_at is 'Not sent again before; while a driver has it, it is nobody else''s.';
comment on column imago.notice.request is 'Of the way net: the number that pg_net gave the last request.';
comment on column imago.notice.outcome is 'Of the last try: the HTTP status, an SQLSTATE, or timeout.';
create index notice_due_idx on imago.notice (way, due_at) where sent_at is null and given_up_at is null;
create index notice_run_idx on imago.notice (run, event);
