create table imago.run_stage (
  run bigint not null references imago.run on delete cascade,
  stage integer not null,
  total bigint not null,
  source_rows bigint not null,
  counted bigint,
  walked bigint check (walked > 0),
  stated_rows bigint,
  primary key (run, stage)
);
comment on table imago.run_stage is 'How large the stages of a run are: what its figures are measured by. Statistics are renewed while it runs; what it was begun with makes no step back.';
comment on column imago.run_stage.total is 'Entities that the stage concerned when the run began.';
comment on column imago.run_stage.source_rows is 'Rows of the walked table then, by its statistics.';
comment on column imago.run_stage.counted is 'Of a large stage whose run forward has ended: the entities that it has come to.';
comment on column imago.run_stage.walked is 'The rows among which it has come to them.';
comment on column imago.run_stage.stated_rows is 'Rows of the table by its statistics at that moment. As long as these are not renewed, what was counted is the better number.';
