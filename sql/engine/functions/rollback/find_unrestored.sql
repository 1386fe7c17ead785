create or replace function imago.find_unrestored(write imago.plan_write, plan imago.plan, keys text[], force boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  result jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(jsonb_build_object(''entity'', j.entity::text, ''relation'', %1$L, ''row_key'', concat_ws('','', %2$s))), ''[]'')
     from (%3$s) j join %4$s t on %5$s where (%6$s) and ($2 or (%7$s))',
    write.relation, imago.each_column('j.key_%1$s', write.relation, write.key_columns),
    (select u.query from imago.undo_rows(write, plan, keys) u), write.relation,
    imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
    imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '),
    imago.each_column('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and '))
  into result using keys, force;
  return result;
end
$$;
comment on function imago.find_unrestored(imago.plan_write, imago.plan, text[], boolean) is 'Rows that hold what we wrote and should have gone back: entity, relation, row_key of each. A trigger or rule of the app kept them.';
