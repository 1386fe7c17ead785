create type imago.attempt as (
  outcome text,
  batch bigint,
  moved integer,
  rows jsonb,
  sqlstate text,
  constraint_name text,
  table_name text,
  column_name text,
  bad_keys text[]
);
comment on type imago.attempt is 'What one sub-batch came to: moved, bad (an entity''s fault), blocked (a lock), timeout or stop.';

create type imago.moves as (
  outcome text,
  resolved integer,
  moved integer,
  failed integer,
  attempts integer,
  next_size integer,
  sqlstate text,
  rows jsonb
);
comment on type imago.moves is 'What a list of keys came to: how many from its start are resolved, and why it ended there (done, time, deferred, timeout, stop, budget).';

create type imago.problem as (
  severity text,
  kind text,
  object text,
  message text,
  hint text
);
comment on type imago.problem is 'What preflight() of a plan returns a set of: something that speaks against starting. severity: error or warning. kind: a code, of Imago (missing_relation, not_a_table, foreign_owner, no_primary_key, missing_column, wrong_type, not_unique, no_index, no_value, limitation) or the plan''s own. object, message and hint are for people.';
