create table imago.plan (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  title text not null,
  source_schema text not null,
  source_table text not null,
  source text not null generated always as (quote_ident(source_schema) || '.' || quote_ident(source_table)) stored,
  key_column text not null,
  entity_singular text check (entity_singular <> ''),
  entity_plural text check (entity_plural <> ''),
  key_type text,
  stage integer not null default 1 check (stage = 1),
  external boolean not null default false,
  prepared_at timestamptz,
  finalizing_at timestamptz,
  checking_since timestamptz,
  checking_at timestamptz,
  checking_stage integer,
  checking_key text,
  checked_at timestamptz,
  closed_at timestamptz,
  finalized_at timestamptz,
  cleaned_at timestamptz,
  bytes_before jsonb not null default '{}',
  created_at timestamptz not null default now(),
  check ((entity_singular is null) = (entity_plural is null))
);
comment on table imago.plan is 'One row per data migration; imago.create_plan() writes it. The plan''s schema of the same name holds preflight(), apply(keys), the view pending, and the view concerned where the plan does not concern all rows.';
comment on column imago.plan.name is 'Name of the plan, and of its schema.';
comment on column imago.plan.title is 'What it does, in one line, for people.';
comment on column imago.plan.source_schema is 'Schema of the table that the plan walks.';
comment on column imago.plan.source_table is 'The table that the plan walks: its rows are the entities.';
comment on column imago.plan.source is 'Computed: the quoted name of the table that the plan walks.';
comment on column imago.plan.key_column is 'Unique column of the table that names an entity; the walk goes along it. Of a key of several columns all of them, as an array is written: {organization_id,user_id}.';
comment on column imago.plan.key_type is 'Kept by the engine: type of the key, found by the first prepare step. Of several columns the type key of the plan''s schema.';
comment on column imago.plan.entity_singular is 'What one entity is called, like user. Null: the table''s name, its last s left off where that leaves the singular.';
comment on column imago.plan.entity_plural is 'What several entities are called, like users. Null: the table''s name.';
comment on column imago.plan.stage is 'Kept by the engine: always 1. The row itself is the plan''s first stage; imago.plan_stage has further ones.';
comment on column imago.plan.external is 'The first stage is done outside of the database, by a function of yours. read(keys) gives it rows, apply(keys, results) writes what it returns.';
comment on column imago.plan.prepared_at is 'Kept by the engine: when the last prepare step was done. Null means that a run has to prepare first.';
comment on column imago.plan.finalizing_at is 'Kept by the engine: when finalize began. Everything was moved and no check failed.';
comment on column imago.plan.checking_since is 'Kept by the engine, while finalize goes through the checks: when it began to.';
comment on column imago.plan.checking_at is 'Kept by the engine, while finalize goes through the checks: its last call. A caller that comes back much later begins again.';
comment on column imago.plan.checking_stage is 'Kept by the engine: up to which stage finalize has looked for what is pending. The stage past the last one: through.';
comment on column imago.plan.checking_key is 'Kept by the engine: up to which entity of checking_stage finalize has looked for what is pending.';
comment on column imago.plan.checked_at is 'Kept by the engine: when no check failed, at last.';
comment on column imago.plan.closed_at is 'Kept by the engine: when finalize did the first thing that cannot be taken back. No run starts from then on.';
comment on column imago.plan.finalized_at is 'Kept by the engine: when the last finalize step was done.';
comment on column imago.plan.cleaned_at is 'Kept by the engine: when the journal was dropped. After finalize, or after everything was taken back.';
comment on column imago.plan.bytes_before is 'Kept by the engine: bytes of each table of the plan, without indexes, when the last prepare step was done.';
comment on column imago.plan.created_at is 'Kept by the engine: when the plan was registered.';
