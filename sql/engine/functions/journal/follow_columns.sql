create or replace function imago.follow_columns(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  move record;
begin
  -- Columns that the app has added since are not watched: the row did not have them when it was inserted.
  for move in select m.* from imago.schema_moves(plan_name) m where m.kind = 'dropped' and m.number > 0 loop
    update imago.plan_write w set deleted_columns = array_replace(w.deleted_columns, move.name, '')
    where w.plan = plan_name and w.relation = move.relation and w.deletes;
    update imago.plan_write w set inserted_columns = array_replace(w.inserted_columns, move.name, '')
    where w.plan = plan_name and w.relation = move.relation and w.inserts;
  end loop;
end
$$;
comment on function imago.follow_columns(text) is 'Has the fingerprints of inserted rows, and what is kept of deleted ones, leave out columns that the app has dropped.';
