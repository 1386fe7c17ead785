create or replace function imago.return_query(plan imago.plan, keys anyarray, trial boolean)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  source text;
  width integer;
  parts text[] := '{}';
  answers text[] := '{}';
begin
  for write in select w.* from imago.stage_writes(plan) w where w.deletes order by w.position desc loop
    source := 'imago_rows_' || write.id;
    parts := parts || format('%s as materialized (%s)', source, imago.returning_rows(write, plan));
    for width in
      execute format('select distinct j.width from imago_undo.%I j where j.entity = any %s and j.op = ''d''', write.undo_table, imago.keys_sql(plan)) using keys
    loop
      parts := parts || format('imago_%s_%s as (%s%s returning %s)', write.id, width, imago.insert_query(write, width, source),
        case when trial then ' on conflict do nothing' else '' end, imago.each_column('%2$I', write.relation, write.key_columns));
      answers := answers || case
        when trial then format(
          'select jsonb_build_object(''entity'', r.entity::text, ''relation'', %L, ''row_key'', concat_ws('','', %s), ''reason_kind'', ''taken'') as answer
           from %s r where r.width = %s and not exists (select from imago_%s_%s t where %s)',
          write.relation, imago.each_column('r.key_%1$s', write.relation, write.key_columns), source, width, write.id, width,
          imago.each_column('t.%2$I = r.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
        else format(
          'select jsonb_build_object(''relation'', %L, ''amount'', (select count(*) from imago_%s_%s), ''wanted'', (select count(*) from %s r where r.width = %s)) as answer',
          write.relation, write.id, width, source, width) end;
    end loop;
  end loop;
  if answers = '{}' then
    return null;
  end if;
  return format('with %s select %s from (%s) a',
    array_to_string(parts, ', '),
    case when trial then 'imago.raise_taken(coalesce(jsonb_agg(a.answer), ''[]''))' else 'jsonb_agg(a.answer)' end,
    array_to_string(answers, ' union all '));
end
$$;
comment on function imago.return_query(imago.plan, anyarray, boolean) is 'SQL that inserts the deleted rows of the entities $1 again. One statement, for rows may refer to each other in any order. It answers how many were inserted, by relation, and how many there are; as a trial it raises which cannot be. Null where there is none.';
