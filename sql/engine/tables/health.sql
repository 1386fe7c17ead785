create table imago.health (
  run bigint primary key references imago.run on delete cascade,
  counted bigint,
  others_written bigint,
  others_at timestamptz,
  since timestamptz not null default clock_timestamp(),
  rest_until timestamptz,
  counting_since timestamptz
) with (fillfactor = 20);
comment on table imago.health is 'What the calls of a run have seen of the server around them: one row a run, written by whichever call gets its lock.';
comment on column imago.health.counted is 'Rows that anybody has written in the plan''s tables, as the server counted them at the last look. Where it counts fewer later, statistics of a table have been reset.';
comment on column imago.health.others_written is 'Rows that others have written in the plan''s tables, as the server counts them since ever: the most that was seen.';
comment on column imago.health.others_at is 'When they were seen last to have written more.';
comment on column imago.health.since is 'Since when the count of others is kept: for notice_ms it cannot say that nobody writes.';
comment on column imago.health.rest_until is 'Beside the app no call of the run works before then: what its last call worked, it rests in proportion.';
comment on column imago.health.counting_since is 'Since when the server had been counting at the last look. Another value: its counters are no measure for those of before.';
