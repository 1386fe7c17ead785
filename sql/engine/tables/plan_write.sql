create table imago.plan_write (
  id integer generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  stage integer not null default 1,
  relation text not null,
  entity_column text,
  inserts boolean not null default false,
  columns text[] not null default '{}',
  points_to jsonb not null default '{}',
  deletes boolean not null default false,
  deleted_entity text,
  left_unindexed text[] not null default '{}',
  index_pace numeric,
  key_columns text[],
  undo_table text,
  inserted_columns text[],
  deleted_columns text[],
  captured_at timestamptz,
  kept_at timestamptz,
  unique (plan, relation),
  check (inserts or deletes or columns <> '{}'),
  check (entity_column is not null or not deletes and points_to = '{}'),
  check (deleted_entity is null or deletes)
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, columns that it sets, or that rows come or go.';
comment on column imago.plan_write.id is 'Kept by the engine: number of the declared write.';
comment on column imago.plan_write.plan is 'The plan that writes.';
comment on column imago.plan_write.position is 'Order of writing. Rollback restores in the opposite order of reference: updates first, inserted rows last. Deleted rows are back before what refers to them.';
comment on column imago.plan_write.stage is 'The stage whose entities the rows belong to. The engine gives shared rows one of their own, 0 and below.';
comment on column imago.plan_write.relation is 'The table that is written, as SQL writes it: public."Gigs".';
comment on column imago.plan_write.entity_column is 'Column of the relation that names the entity. Of a key of several columns all of them, in its order: {organization_id,user_id}. Null for rows that several entities share, or that belong to none. Each of these is journaled under its own key, in a stage of its own (0, -1, …, set by prepare) that goes back last, when nothing refers to it any more.';
comment on column imago.plan_write.inserts is 'The plan inserts rows into the relation; a rollback removes them.';
comment on column imago.plan_write.columns is 'Columns that the plan sets in rows of the app; a rollback gives them back what they held.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.deletes is 'The plan deletes rows of the relation. The journal keeps them whole, personal data included, until they go back or clean-up; a rollback inserts them again.';
comment on column imago.plan_write.deleted_entity is 'SQL: the entity that a deleted row belongs to, where that is another one than entity_column names. An expression that reads the row under the name deleted once it is gone, with all names qualified.';
comment on column imago.plan_write.left_unindexed is 'Kept by the engine: columns of points_to whose index the last run has left to a person. Writers would wait too long for it, or it could not be built. The log has the statement.';
comment on column imago.plan_write.index_pace is 'Kept by the engine: how long building such an index has taken a call, of what was expected, the last time.';
comment on column imago.plan_write.key_columns is 'Kept by the engine: the relation''s primary key, found by prepare.';
comment on column imago.plan_write.undo_table is 'Kept by the engine: name of the undo table in schema imago_undo; null until prepare has made it.';
comment on column imago.plan_write.inserted_columns is 'Kept by the engine: columns whose fingerprint tells whether an inserted row was edited since. Empty where one was dropped meanwhile.';
comment on column imago.plan_write.deleted_columns is 'Kept by the engine: columns that the journal keeps of a deleted row, in the order of their places. Empty where one was dropped meanwhile.';
comment on column imago.plan_write.kept_at is 'Kept by the engine: when the note and keep triggers were installed; null where triggers of the app do not ask for them.';
comment on column imago.plan_write.captured_at is 'Kept by the engine: when the capture triggers were installed; null while they are not.';
