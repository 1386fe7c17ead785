create table imago.added (
  plan text references imago.plan on delete cascade,
  type text not null,
  names text[] not null,
  arguments text[] not null,
  object_id oid not null,
  column_number integer not null,
  noted_in oid not null,
  comment text,
  created_at timestamptz not null default clock_timestamp(),
  primary key (type, names, arguments)
);
comment on table imago.added is 'What Imago has added outside of its own schemas: what prepare steps did, and functions in schema public. By this, and by this only, clean-up, the doctor and uninstalling know what is ours.';
comment on column imago.added.plan is 'Null: the engine''s own.';
comment on column imago.added.type is 'With names and arguments: the object as pg_identify_object_as_address() names it. Names outlive a dump and its restore, numbers do not.';
comment on column imago.added.object_id is 'Of the object, with column_number for a column. What was dropped and made again under the same name is not ours any more. Counts only in the database of noted_in.';
comment on column imago.added.noted_in is 'The oid that this table had at that time. Another one since: the database was restored from a dump, and its objects have other numbers.';
comment on column imago.added.comment is 'What we have written on the object for people, to take it away again; null where it had a comment of its own.';
