create or replace function imago_fleet.note(rollout bigint, event text, detail text default null, member text default null)
returns void
language sql
set search_path = ''
as $$
  insert into imago_fleet.event (rollout, event, detail, member)
  values (note.rollout, note.event, note.detail, note.member)
$$;

comment on function imago_fleet.note(bigint, text, text, text) is 'Writes down what was decided about a rollout.';
