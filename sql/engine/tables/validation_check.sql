create table imago.validation_check (
  validation bigint not null references imago.validation on delete cascade,
  plan_check integer not null references imago.plan_check on delete cascade,
  position integer not null,
  applicable boolean not null default true,
  done boolean not null default false,
  cursor_key text,
  size integer not null default 20,
  piece_ms numeric,
  in_pieces boolean not null default false,
  checked bigint not null default 0,
  total bigint not null default 1,
  found bigint not null default 0,
  remaining bigint,
  fixed bigint not null default 0,
  fixes_failed bigint not null default 0,
  written jsonb not null default '{}',
  deferrals integer not null default 0,
  fix_size integer not null default 10,
  keys text[] not null default '{}',
  findings jsonb not null default '[]',
  facts jsonb not null default '{}',
  error jsonb,
  primary key (validation, plan_check)
) with (fillfactor = 50);
comment on table imago.validation_check is 'How far a validation is with each check: cursor, counts and up to ten keys.';
comment on column imago.validation_check.size is 'Rows of the source in the next piece.';
comment on column imago.validation_check.piece_ms is 'What the slowest piece of a thousand rows or less has taken.';
comment on column imago.validation_check.in_pieces is 'One query over all that was left has timed out: only small pieces since.';
comment on column imago.validation_check.remaining is 'Counted again when fixing: what is still wrong. Null as long as nothing was to be fixed.';
comment on column imago.validation_check.written is 'Rows that the fix has written (or, in a dry run, would have), by relation.';
