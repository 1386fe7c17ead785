create table imago.allowance (
  plan text not null references imago.plan on delete cascade,
  slot integer not null check (slot between 1 and 32),
  spent_until timestamptz not null default clock_timestamp(),
  primary key (plan, slot)
) with (fillfactor = 20);
comment on table imago.allowance is 'What max_per_second still allows, in up to 32 parts, so that several callers need not wait for each other. A caller locks what it spends from until its end.';
comment on column imago.allowance.slot is 'The part. The lower the rate, the fewer are used.';
comment on column imago.allowance.spent_until is 'What was allowed up to this moment is spent, or more than a second old, which is as good as spent.';
