create or replace function imago.leave_unindexed(run imago.run, write_id integer, column_name text, message text, sqlstate text default null)
returns void
language sql
volatile
set search_path = ''
as $$
  update imago.plan_write w set unindexed = w.unindexed || column_name where w.id = write_id;
  select imago.write_log(run.plan, run.id, 'warning', 'index',
    jsonb_build_object('object', i.object, 'message', leave_unindexed.message, 'hint', i.hint), null, leave_unindexed.sqlstate)
  from imago.plan_write w
  cross join lateral imago.index_warning(w.relation, column_name, 'rollback') i
  where w.id = write_id
$$;
comment on function imago.leave_unindexed(imago.run, integer, text, text, text) is 'Leaves the index on a pointing column to a person: notes it for this run and logs the statement.';
