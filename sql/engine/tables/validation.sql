create table imago.validation (
  id bigint generated always as identity primary key,
  plan text not null references imago.plan on delete cascade,
  phase text not null check (phase in ('before', 'during', 'after')),
  fixes boolean not null,
  dry_run boolean not null,
  run bigint references imago.run on delete cascade,
  state text not null default 'checking' check (state in ('checking', 'fixing', 'done')),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
comment on table imago.validation is 'One validation of a plan, over as many calls as it takes. Its row lock is the lease.';
comment on column imago.validation.run is 'Asked by the end of this run, or by finalize after it: checks of severity error, all of them. Null: asked by a person.';
create unique index validation_unfinished_key on imago.validation (plan, fixes, dry_run, coalesce(run, 0)) where state <> 'done';
comment on index imago.validation_unfinished_key is 'At most one unfinished validation a plan for the same options and the same asker.';
