create table imago.stray_row (
  id bigint generated always as identity primary key,
  plan text not null,
  relation text not null,
  stage integer not null,
  row_key text[] not null,
  entity text not null
);
comment on table imago.stray_row is 'Journaled rows that the app has given to another entity, or to nobody. Where no sync follows that, their journal stays with the entity that they were written for; it is found here when their key changes.';
comment on column imago.stray_row.plan is 'No foreign key: a write of the app would lock the row of the plan.';
comment on column imago.stray_row.relation is 'As the plan declares it.';
comment on column imago.stray_row.stage is 'Stage of the plan that the entities of the relation belong to.';
comment on column imago.stray_row.row_key is 'The key of the row, as it is now.';
comment on column imago.stray_row.entity is 'The entity that the journal names.';
create index stray_row_key_idx on imago.stray_row (plan, relation, row_key);
create index stray_row_entity_idx on imago.stray_row (plan, stage, entity);
