create table imago.plan_stage (
  plan text not null references imago.plan on delete cascade,
  number integer not null check (number > 1),
  source_schema text not null,
  source_table text not null,
  source text not null generated always as (quote_ident(source_schema) || '.' || quote_ident(source_table)) stored,
  key_column text not null,
  entity_singular text check (entity_singular <> ''),
  entity_plural text check (entity_plural <> ''),
  key_type text,
  external boolean not null default false,
  primary key (plan, number),
  check ((entity_singular is null) = (entity_plural is null))
);
comment on table imago.plan_stage is 'Further stages of a plan: tables that it walks after its source, in order. The plan''s schema holds apply_<number>(keys), the view pending_<number>, and concerned_<number> where the stage does not concern all rows.';
comment on column imago.plan_stage.plan is 'The plan whose stage it is.';
comment on column imago.plan_stage.number is 'A run goes from stage 1, the plan''s own row, upwards; a rollback from the last stage downwards.';
comment on column imago.plan_stage.source_schema is 'Schema of the table that the stage walks.';
comment on column imago.plan_stage.source_table is 'The table that the stage walks: its rows are the stage''s entities.';
comment on column imago.plan_stage.source is 'Computed: the quoted name of the table that the stage walks.';
comment on column imago.plan_stage.key_column is 'Unique column of the table that names an entity; of a key of several columns all of them: {organization_id,user_id}.';
comment on column imago.plan_stage.key_type is 'Kept by the engine: type of the key, found by the first prepare step. Of several columns the type key of the plan''s schema, key_<number>.';
comment on column imago.plan_stage.entity_singular is 'What one entity of this stage is called. Null: the table''s name, its last s left off where that leaves the singular.';
comment on column imago.plan_stage.entity_plural is 'What several entities of this stage are called. Null: the table''s name.';
comment on column imago.plan_stage.external is 'The stage is done outside of the database, by a function of yours. read_<number>(keys) gives it rows, apply_<number>(keys, results) writes what it returns.';
