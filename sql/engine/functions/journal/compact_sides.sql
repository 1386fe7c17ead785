create or replace function imago.compact_sides(write imago.plan_write, key_type text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  keys text := imago.each_column('key_%1$s', write.relation, write.key_columns);
  same_key text := imago.each_column('b.key_%1$s = c.key_%1$s', write.relation, write.key_columns, ' and ');
begin
  return format(
    ', side_images as (
       select entity, %1$s, s.key as name, s.value ->> 0 as image, 1 as weight from taken cross join lateral jsonb_each(taken.side) s
       union all
       select entity, %1$s, s.key, s.value ->> 1, -1 from taken cross join lateral jsonb_each(taken.side) s
     ), side_firsts as (
       select entity, %1$s, name, image from side_images group by entity, %1$s, name, image having sum(weight) > 0
     ), beside as (
       select j.entity, %2$s, jsonb_object_agg(j.name, jsonb_build_array(j.image, v.image)) as side
       from side_firsts j
       join %3$s t on %4$s
       cross join lateral (values %5$s) v(name, image)
       where v.name = j.name
       group by j.entity, %2$s
     ), changed_or_beside as (
       select c.*, b.side from changed c left join beside b on b.entity = c.entity and %6$s
       union all
       select b.entity, %7$s%8$s, 0, b.side from beside b
       where not exists (select from changed c where b.entity = c.entity and %6$s)
     )',
    keys, imago.each_column('j.key_%1$s', write.relation, write.key_columns), imago.with_gone(write, format('d.batch = $1 and d.entity = any ($2::%s[])', key_type)),
    imago.each_column('t.%2$I::%4$s = j.key_%1$s', write.relation, write.key_columns, ' and '),
    imago.side_values(write, '(%1$L, t.%1$I::text)'), same_key,
    imago.each_column('b.key_%1$s', write.relation, write.key_columns),
    imago.each_column(', null', write.relation, write.columns, ''));
end
$$;
comment on function imago.compact_sides(imago.plan_write, text) is 'SQL for compact_updated: undeclared columns of each row, the first image before and the table''s own value after. Rows of which nothing else changed are there, too.';
