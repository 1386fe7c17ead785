create table imago.plan (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  title text not null,
  source_schema text not null,
  source_table text not null,
  source text not null generated always as (quote_ident(source_schema) || '.' || quote_ident(source_table)) stored,
  key_column text not null,
  entity_singular text check (entity_singular <> ''),
  entity_plural text check (entity_plural <> ''),
  key_type text check (key_type in ('uuid', 'integer', 'bigint', 'text')),
  stage integer not null default 1 check (stage = 1),
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
  created_at timestamptz not null default now(),
  check ((entity_singular is null) = (entity_plural is null))
);
comment on table imago.plan is 'One row per data migration. The plan''s schema of the same name holds preflight(), apply(keys), the view pending, and the view concerned where the plan does not concern all rows.';
comment on column imago.plan.source is 'Quoted name of the table that the plan walks.';
comment on column imago.plan.entity_singular is 'What one entity is called, like user. Null: the table''s name, its last s left off where that leaves the singular.';
comment on column imago.plan.entity_plural is 'What several entities are called, like users. Null: the table''s name.';
comment on column imago.plan.stage is 'The row itself is the plan''s first stage; imago.plan_at_stage() gives the plan''s value for another.';
comment on column imago.plan.key_type is 'Type of the key, found by the first prepare step.';
comment on column imago.plan.prepared_at is 'When the last prepare step was done; null means that a run has to prepare first.';
comment on column imago.plan.finalizing_at is 'When finalize began: everything was moved and no check failed.';
comment on column imago.plan.checking_since is 'While finalize goes through the checks: when it began to.';
comment on column imago.plan.checking_at is 'While finalize goes through the checks: the last call of it. Who comes back much later begins anew.';
comment on column imago.plan.checking_stage is 'Up to which stage, and with checking_key which entity, finalize has looked for what is pending; a stage past the last one: through.';
comment on column imago.plan.checked_at is 'When no check failed, at last.';
comment on column imago.plan.closed_at is 'When finalize did the first thing that cannot be taken back; no run starts from then on.';
comment on column imago.plan.finalized_at is 'When the last finalize step was done.';
comment on column imago.plan.cleaned_at is 'When the journal was dropped: after finalize, or after everything was taken back.';
