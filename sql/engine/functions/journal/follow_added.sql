create or replace function imago.follow_added(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
  place integer;
begin
  for added in
    select w.id, w.undo_table, m.name, c.kept
    from imago.plan_write w
    join imago.schema_moves(plan_name) m on m.relation = w.relation and m.kind = 'added'
    cross join lateral imago.journal_columns(w.relation, array[m.name]) c
    where w.plan = plan_name and w.deletes and w.undo_table is not null
    order by w.position, m.number
  loop
    update imago.plan_write w set deleted_columns = w.deleted_columns || added.name where w.id = added.id
    returning cardinality(w.deleted_columns) into place;
    execute format('alter table imago_undo.%I add column old_%s %s', added.undo_table, place, added.kept);
  end loop;
end
$$;
comment on function imago.follow_added(text) is 'Has the journal keep columns that the app has added, of rows that are deleted from now on.';
