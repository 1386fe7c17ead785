create table imago.transition (
  event text not null,
  from_state text not null,
  to_state text not null,
  sentence text not null,
  primary key (event, from_state)
);
comment on table imago.transition is 'The state machine of a run: each edge with the sentence that says when it happens.';

insert into imago.transition (event, from_state, to_state, sentence) values
  ('start', 'pending', 'running', 'The plan is prepared and the lanes are cut.'),
  ('pause', 'pending', 'paused', 'Someone paused the run before its first batch.'),
  ('pause', 'running', 'paused', 'Someone paused the run; batches in flight have ended.'),
  ('resume', 'paused', 'running', 'Someone let the run go on.'),
  ('cancel', 'pending', 'cancelled', 'Someone gave the run up before its first batch.'),
  ('cancel', 'running', 'cancelled', 'Someone gave the run up; what was moved stays moved.'),
  ('cancel', 'paused', 'cancelled', 'Someone gave the paused run up; what was moved stays moved.'),
  ('cancel', 'failed', 'cancelled', 'Someone gave the failed run up; what was moved stays moved.'),
  ('succeed', 'running', 'succeeded', 'Nothing is pending and nothing is set aside.'),
  ('fail', 'pending', 'failed', 'A step of prepare failed, and was taken back.'),
  ('fail', 'running', 'failed', 'Work ended with entities set aside, the error budget was used up, or the server or schema is in trouble.'),
  ('retry', 'failed', 'running', 'Someone asked for the set-aside entities to be tried again.'),
  ('supersede', 'pending', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'running', 'cancelled', 'A run in the other direction took over.'),
  ('supersede', 'paused', 'cancelled', 'A run in the other direction took over.');
