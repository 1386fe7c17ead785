create table imago.lost_row (
  id bigint generated always as identity primary key,
  plan text not null,
  relation text not null,
  stage integer not null,
  entity text,
  created_at timestamptz not null default clock_timestamp()
);
comment on table imago.lost_row is 'Where journaled rows may have got another key that the journal does not know. A row of these that a rollback does not find has not been deleted for certain: its entity is in conflict.';
comment on column imago.lost_row.plan is 'No foreign key: a write of the app would lock the row of the plan.';
comment on column imago.lost_row.relation is 'As the plan declares it.';
comment on column imago.lost_row.stage is 'Stage of the plan that the entities of the relation belong to.';
comment on column imago.lost_row.entity is 'The entity that the row belongs to; null: any.';
create index lost_row_entity_idx on imago.lost_row (plan, stage, entity);
