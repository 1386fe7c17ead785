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
