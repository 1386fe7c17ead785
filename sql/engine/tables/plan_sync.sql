create table imago.plan_sync (
  plan text not null references imago.plan on delete cascade,
  stage integer not null default 1,
  position integer not null check (position between 1 and 99),
  name text not null,
  relation text not null,
  events text[] not null default '{insert,update}'
    check (events <> '{}' and events <@ array['insert', 'update', 'delete']),
  columns text[],
  entity_column text not null,
  direction text not null default 'forward' check (direction in ('forward', 'back')),
  statement text not null,
  strict boolean not null default false,
  creates boolean not null default false,
  fills text,
  fill text,
  installed_at timestamptz,
  primary key (plan, position),
  unique (plan, name),
  check ((fills is null) = (fill is null)),
  check (fills is null or direction = 'forward' and not creates and 'insert' = any (events))
);
comment on table imago.plan_sync is 'What keeps both sides equal while a plan is on, in the transaction of the app''s write. For each row a trigger that runs one SQL statement.';
comment on column imago.plan_sync.plan is 'The plan whose sync it is.';
comment on column imago.plan_sync.stage is 'The stage whose entities entity_column names.';
comment on column imago.plan_sync.position is 'Number of the sync; part of its triggers'' names.';
comment on column imago.plan_sync.name is 'What people read of the sync: in the log, in errors and in the doctor''s report.';
comment on column imago.plan_sync.relation is 'The table that the app writes, as SQL writes it.';
comment on column imago.plan_sync.events is 'Kinds of the app''s statements that the sync follows.';
comment on column imago.plan_sync.columns is 'An update counts only for rows in which one of these has changed; null means any.';
comment on column imago.plan_sync.entity_column is 'Column of the relation that names the entity. Of a key of several columns all of them, in its order: {organization_id,user_id}.';
comment on column imago.plan_sync.direction is 'forward: from the old side to the new, journaled. back: from the new side to the old. A rollback takes what forward wrote back; what back writes is the app''s own and stays, and the journal of the new side moves along.';
comment on column imago.plan_sync.statement is 'SQL that reads new_rows and old_rows, the rows that the app has changed, and writes the other side. old_rows is empty for an insert, new_rows for a delete.';
comment on column imago.plan_sync.strict is 'An error fails the app''s write. Otherwise it is logged and the entity is left pending.';
comment on column imago.plan_sync.creates is 'Moves entities that were not moved before; off while the plan is being rolled back, and for held entities.';
comment on column imago.plan_sync.fills is 'Column of the relation that the sync sets in new rows where it is null, and only there. With fill that is done before the row is written, which costs the app a fraction of an update.';
comment on column imago.plan_sync.fill is 'SQL: a select of the value for a row called new. It reads the entity under the name source, by its key, and, joined to it, the row that the value refers to. Null, or no row: nothing to fill in.';
comment on column imago.plan_sync.installed_at is 'Kept by the engine: when the triggers were installed; null while they are not.';
