create table imago.plan_cohort (
  plan text not null references imago.plan on delete cascade,
  name text not null check (name ~ '^[a-z][a-z0-9_]{0,60}$'),
  stage integer not null default 1 check (stage > 0),
  condition text not null check (condition ~ '\S'),
  primary key (plan, name, stage)
);
comment on table imago.plan_cohort is 'Cohorts that a run may take first, by name: those rows of a stage for which a condition holds. Only the owner of Imago may write here, for the condition runs with the owner''s rights.';
comment on column imago.plan_cohort.plan is 'The plan whose cohort it is.';
comment on column imago.plan_cohort.name is 'Name of the cohort, in lower case, as it is given when a run is started.';
comment on column imago.plan_cohort.stage is 'The stage whose rows the condition picks. A stage for which no cohort has a row waits until a run takes all.';
comment on column imago.plan_cohort.condition is 'SQL: a condition over a row of the stage''s table, which is called source: source.country = ''CH''. Null counts as false.';
