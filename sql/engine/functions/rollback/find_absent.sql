create or replace function imago.find_absent(plan imago.plan, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  absent jsonb;
  result jsonb := '[]';
begin
  for write in select w.* from imago.stage_writes(plan) w where w.deletes loop
    execute format(
      'select coalesce(jsonb_agg(jsonb_build_object(''entity'', r.entity::text, ''relation'', %1$L, ''row_key'', concat_ws('','', %2$s)) order by r.entity), ''[]'')
       from (%3$s) r where not exists (select from %4$s t where %5$s)',
      write.relation, imago.each_column('r.key_%1$s', write.relation, write.key_columns), imago.returning_rows(write, plan), write.relation,
      imago.each_column('t.%2$I = r.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
    into absent using keys;
    result := result || absent;
  end loop;
  return result;
end
$$;
comment on function imago.find_absent(imago.plan, text[]) is 'Deleted rows of these entities that should be back and are not there: entity, relation, row_key of each.';
