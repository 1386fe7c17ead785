create or replace function imago.leave_index_to_person(
  run imago.run, write_id integer, column_name text, reason text, sqlstate text default null, level text default 'warning')
returns void
language sql
volatile
set search_path = ''
as $$
  select imago.write_log(run.plan, run.id, leave_index_to_person.level, 'index',
    jsonb_build_object('kind', 'no_index', 'object', u.object, 'message', 'has no index; ' || reason, 'hint', u.statement), null, leave_index_to_person.sqlstate)
  from imago.missing_indexes(run.plan) u
  where u.write_id = leave_index_to_person.write_id and u.column_name = leave_index_to_person.column_name;
  update imago.plan_write w set left_unindexed = w.left_unindexed || column_name where w.id = write_id
$$;
comment on function imago.leave_index_to_person(imago.run, integer, text, text, text, text) is 'Leaves the index on a pointing column to a person, or to their command: notes it for this run and logs the statement.';
