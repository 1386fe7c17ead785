create table imago.health (
  run bigint primary key references imago.run on delete cascade,
  counted bigint,
  others_written bigint,
  others_at timestamptz
) with (fillfactor = 20);
comment on table imago.health is 'What the calls of a run have seen of the server around them: one row a run, written by whichever call gets its lock.';
comment on column imago.health.counted is 'Rows that anybody has written in the plan''s tables, as the server counted them at the last look. Where it counts fewer later, its statistics have been reset.';
comment on column imago.health.others_written is 'Rows that others have written in the plan''s tables, as the server counts them since ever: the most that was seen.';
comment on column imago.health.others_at is 'When they were seen last to have written more.';
