create or replace function imago.drop_journaled(write imago.plan_write, place integer)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  lost text := write.columns[place];
begin
  execute format('alter table imago_undo.%1$I drop column before_%2$s, drop column after_%2$s', write.undo_table, place);
  for later in place + 1 .. cardinality(write.columns) loop
    execute format('alter table imago_undo.%I rename column before_%s to before_%s', write.undo_table, later, later - 1);
    execute format('alter table imago_undo.%I rename column after_%s to after_%s', write.undo_table, later, later - 1);
  end loop;
  update imago.plan_write w set columns = array_remove(w.columns, lost), points_to = w.points_to - lost where w.id = write.id;
  delete from imago.declared d where d.plan = write.plan and d.relation = write.relation and d.name = lost;
end
$$;
comment on function imago.drop_journaled(imago.plan_write, integer) is 'Takes a column, by its place among the declared ones, out of a declared write and its journal.';
