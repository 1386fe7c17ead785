create or replace function imago.read_sides(plan imago.plan, keys anyarray)
returns jsonb
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  row_keys text;
  found_sides jsonb;
  result jsonb := '{}';
begin
  for write in
    select w.* from imago.plan_write w
    where w.plan = plan.name and w.stage = plan.stage and imago.has_sides(w) order by w.position
  loop
    row_keys := imago.each_column('u.key_%1$s', write.relation, write.key_columns);
    execute format(
      'with beside as (
         select u.entity, %1$s, s.key as name,
           (array_agg(s.value ->> 0 order by u.batch))[1] as was, (array_agg(s.value ->> 1 order by u.batch desc))[1] as became
         from imago_undo.%2$I u cross join lateral jsonb_each(u.side) s
         where u.entity = any %3$s and u.op = ''u'' and u.side is not null
         group by u.entity, %1$s, s.key
       )
       select jsonb_agg(jsonb_build_object(''entity'', r.entity, ''key'', r.key, ''columns'', r.columns))
       from (
         select u.entity::text as entity, array[%4$s] as key, jsonb_object_agg(u.name, u.was) as columns
         from beside u
         join %5$s t on %6$s
         cross join lateral (values %7$s) v(name, image)
         where v.name = u.name and v.image is not distinct from u.became and u.was is distinct from u.became
         group by u.entity, %1$s
       ) r',
      row_keys, write.undo_table, imago.keys_sql(plan),
      imago.each_column('u.key_%1$s::text', write.relation, write.key_columns),
      imago.with_gone(write, 'd.entity = any ' || imago.keys_sql(plan)),
      imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
      coalesce(imago.side_values(write, '(%1$L, t.%1$I::text)'), '(null, null)'))
    into found_sides using keys;
    if found_sides is not null then
      result := result || jsonb_build_object(write.relation, found_sides);
    end if;
  end loop;
  return result;
end
$$;
comment on function imago.read_sides(imago.plan, anyarray) is 'By relation: rows of these entities with undeclared columns that can go back, and what these were before. Triggers of the app changed them in our batches, and nobody has since.';
