create table imago.plan_write (
  id integer generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  position integer not null,
  relation text not null,
  entity_column text,
  inserts boolean not null default false,
  columns text[] not null default '{}',
  points_to jsonb not null default '{}',
  key_columns text[],
  undo_table text,
  inserted_columns text[],
  captured_at timestamptz,
  unique (plan, relation),
  check (inserts or columns <> '{}')
);
comment on table imago.plan_write is 'What a plan writes: a relation, the column that names the entity, and the columns that it sets or that it inserts rows.';
comment on column imago.plan_write.position is 'Order of writing; rollback restores in the opposite order of reference: updates first, inserted rows last.';
comment on column imago.plan_write.points_to is 'Declared columns that refer to rows which the plan inserts: {"avatar_id": "public.avatars"}.';
comment on column imago.plan_write.inserted_columns is 'Columns whose fingerprint tells whether an inserted row was edited since.';
