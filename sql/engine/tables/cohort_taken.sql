create table imago.cohort_taken (
  plan text primary key references imago.plan on delete cascade,
  percent numeric not null default 0 check (percent >= 0 and percent < 100),
  keys text[] not null default '{}',
  names text[] not null default '{}'
);
comment on table imago.cohort_taken is 'Which entities runs forward of a plan take, where that is not all: a percentage, keys and named cohorts together. No row: all. Outlives the run, so that an option left out never means more than was asked for.';
comment on column imago.cohort_taken.percent is 'Of the first stage that walks a table: by a hash of the key, so that who is in 10 % is in 20 %, too.';
comment on column imago.cohort_taken.keys is 'Of the first stage that walks a table: these entities.';
comment on column imago.cohort_taken.names is 'Cohorts of imago.plan_cohort.';
