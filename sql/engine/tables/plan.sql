create table imago.plan (
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  title text not null,
  source_schema text not null,
  source_table text not null,
  key_column text not null,
  key_type text check (key_type in ('uuid', 'integer', 'bigint', 'text')),
  prepared_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table imago.plan is 'One row per data migration. The plan''s schema of the same name holds preflight(), apply(keys) and the view pending.';
comment on column imago.plan.key_type is 'Type of the key, found by the first prepare step.';
comment on column imago.plan.prepared_at is 'When the last prepare step was done; null means that a run has to prepare first.';
