create table imago.declared (
  plan text not null references imago.plan on delete cascade,
  relation text not null,
  name text not null,
  first_relation text not null,
  first_name text not null,
  relation_id oid not null,
  number integer not null,
  type text,
  labels jsonb,
  noted_in oid not null,
  primary key (plan, relation, number)
);
comment on table imago.declared is 'The tables of a prepared plan as they are known: each with its columns, by what the catalogue knows them by. What is another one now has been moved, renamed, retyped or dropped since.';
comment on column imago.declared.name is 'Of the column; of the table itself (number 0) empty.';
comment on column imago.declared.first_relation is 'What the table was called when the plan was prepared: its functions may call it that still.';
comment on column imago.declared.first_name is 'The same of the column.';
comment on column imago.declared.number is 'In pg_attribute; 0 for the table.';
comment on column imago.declared.type is 'With its modifier, as SQL writes it.';
comment on column imago.declared.labels is 'Of an enum, and of what is made of one (arrays, domains): its labels by their oids. The journal keeps enums as text.';
comment on column imago.declared.noted_in is 'The oid that this table had at that time. Another one since: the database was restored from a dump, and its objects have other numbers. Then names count.';
