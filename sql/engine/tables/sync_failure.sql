create table imago.sync_failure (
  id bigint generated always as identity primary key,
  plan text not null,
  stage integer not null,
  entity text not null,
  relation text not null
);
comment on table imago.sync_failure is 'For each entity the sync that failed for it last. A plan that mirrors asks here which of two sides was written last; the log has one line for a statement.';
comment on column imago.sync_failure.plan is 'No foreign key: a write of the app that fails here would lock the row of the plan.';
comment on column imago.sync_failure.relation is 'What the app wrote: the relation of the sync that failed.';
create index sync_failure_entity_idx on imago.sync_failure (plan, stage, entity);
