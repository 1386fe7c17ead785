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
  unique (plan, relation),
  check (inserts or columns <> '{}'),
  check (entity_column is not null or inserts and columns = '{}' and points_to = '{}')
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, and the columns that it sets or that it inserts rows.';
comment on column imago.plan_write.position is 'Order of writing; rollback restores in the opposite order of reference: updates first, inserted rows last.';
comment on column imago.plan_write.stage is 'The stage whose entities the rows belong to.';
comment on column imago.plan_write.entity_column is 'Null: inserted rows that several entities share. Each is journaled under its own key, in a stage of its own (0, -1, …, set by prepare) that goes back last, when nothing refers to it any more.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.left_unindexed is 'Columns of points_to whose index the last run has left to a person: the table is too large, or the index could not be built. The log has the statement.';
comment on column imago.plan_write.inserted_columns is 'Columns whose fingerprint tells whether an inserted row was edited since.';
