create table imago.failure (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  run bigint,
  stage integer not null default 1,
  entity text,
  kind text not null check (kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held', 'conflict', 'forgotten')),
  direction text not null default 'forward',
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  row_key text,
  reason_kind text check (reason_kind in ('changed', 'edited', 'rekeyed', 'referenced', 'taken', 'orphaned', 'deleted')),
  referenced_by text,
  reason text,
  raised_by text,
  created_at timestamptz not null default clock_timestamp(),
  check (entity is not null or kind = 'unreachable'),
  check (reason_kind is not null = (kind = 'conflict')),
  check (referenced_by is not null = coalesce(reason_kind in ('referenced', 'orphaned', 'deleted'), false))
);
comment on table imago.failure is 'Entities that are set aside, by kind. They failed, are deferred (blocked by somebody), too_large, unreachable (pending, but not in the source), held (rolled back alone), in conflict, or forgotten while they are there, so that no rollback takes a half of them back. Keys and codes only.';
comment on column imago.failure.stage is 'Stage of the plan that the entity belongs to; 0 and below: rows that several entities share, each named by its own key.';
comment on column imago.failure.entity is 'Key of the entity. Null: rows that the view pending lists without a key.';
comment on column imago.failure.reason_kind is 'Of a conflict. changed: a declared column was changed since; edited: an inserted row was; rekeyed: the app has given a row another key that is not known; referenced: something refers to an inserted row; taken: a row of the app is in the way of a deleted one; orphaned: a deleted row refers to one that is gone; deleted: a plan has deleted the row since.';
comment on column imago.failure.referenced_by is 'Of a conflict. referenced: the relation that refers to the inserted row; orphaned: that of the row which is gone; deleted: the plan that has deleted it.';
comment on column imago.failure.reason is 'For people. What is decided by it stands in the other columns.';
comment on column imago.failure.raised_by is 'Functions and lines that the error came from, innermost first. The triggers that call them are named, too; null where a statement of the engine met it.';
create index failure_entity_idx on imago.failure (plan, entity);
create unique index failure_set_aside_key on imago.failure (plan, stage, entity, direction) nulls not distinct
  where kind in ('failed', 'deferred', 'too_large', 'unreachable', 'held');
