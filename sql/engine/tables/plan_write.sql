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
  left_unindexed text[] not null default '{}',
  key_columns text[],
  undo_table text,
  inserted_columns text[],
  captured_at timestamptz,
  kept_at timestamptz,
  unique (plan, relation),
  check (inserts or columns <> '{}'),
  check (entity_column is not null or inserts and columns = '{}' and points_to = '{}')
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, and the columns that it sets or that it inserts rows.';
comment on column imago.plan_write.id is 'Kept by the engine: number of the declared write.';
comment on column imago.plan_write.plan is 'The plan that writes.';
comment on column imago.plan_write.position is 'Order of writing. Rollback restores in the opposite order of reference: updates first, inserted rows last.';
comment on column imago.plan_write.stage is 'The stage whose entities the rows belong to. The engine gives shared rows one of their own, 0 and below.';
comment on column imago.plan_write.relation is 'The table that is written, as SQL writes it: public."Gigs".';
comment on column imago.plan_write.entity_column is 'Column of the relation that names the entity; null for inserted rows that several entities share. Each of these is journaled under its own key, in a stage of its own (0, -1, …, set by prepare) that goes back last, when nothing refers to it any more.';
comment on column imago.plan_write.inserts is 'The plan inserts rows into the relation; a rollback removes them.';
comment on column imago.plan_write.columns is 'Columns that the plan sets in rows of the app; a rollback gives them back what they held.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.left_unindexed is 'Kept by the engine: columns of points_to whose index the last run has left to a person. The table is too large, or the index could not be built. The log has the statement.';
comment on column imago.plan_write.key_columns is 'Kept by the engine: the relation''s primary key, found by prepare.';
comment on column imago.plan_write.undo_table is 'Kept by the engine: name of the undo table in schema imago_undo; null until prepare has made it.';
comment on column imago.plan_write.inserted_columns is 'Kept by the engine: columns whose fingerprint tells whether an inserted row was edited since. Empty where one was dropped meanwhile.';
comment on column imago.plan_write.kept_at is 'Kept by the engine: when the note and keep triggers were installed; null where triggers of the app do not ask for them.';
comment on column imago.plan_write.captured_at is 'Kept by the engine: when the capture triggers were installed; null while they are not.';
