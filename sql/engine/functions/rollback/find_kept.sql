create or replace function imago.find_kept(plan imago.plan, keys text[], removing boolean default true)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  look record;
  kept jsonb;
  result jsonb := '[]';
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and w.undo_table is not null order by w.position
  loop
    for look in
      select (select u.query from imago.undo_rows(write, plan, keys) u) as journal,
        imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or ') as condition
      where write.columns <> '{}'
      union all
      select format('select i.* from imago_undo.%I i where i.entity = any ($1::%s[]) and i.op = ''i''', write.undo_table, imago.kept_type(plan)), 'true'
      where write.inserts and removing
      union all
      select imago.returning_rows(write, plan), imago.returned_otherwise(write) where write.deletes and removing
    loop
      execute format(
        'select coalesce(jsonb_agg(jsonb_build_object(''entity'', j.entity::text, ''relation'', %1$L, ''row_key'', concat_ws('','', %2$s))), ''[]'')
         from (%3$s) j join %4$s t on %5$s where %6$s',
        write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns), look.journal, write.relation,
        imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '), look.condition)
      into kept using keys;
      result := result || kept;
    end loop;
  end loop;
  return result;
end
$$;
comment on function imago.find_kept(imago.plan, text[], boolean) is 'Rows of these entities that had their turn to go back, and did not: entity, relation, row_key of each. They are still there, or not as they were before our batches, deleted rows included. Not removing: inserted rows have their turn later.';
