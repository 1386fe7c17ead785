create or replace function imago.hand_sides_over(plan imago.plan, keys anyarray)
returns void
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
  other imago.plan_write;
  row_keys text;
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan.name and w.stage = plan.stage and imago.has_sides(w)
  loop
    row_keys := imago.each_column('u.key_%1$s', write.relation, write.key_columns);
    for other in
      select o.* from imago.plan_write o
      where o.plan <> plan.name and imago.has_sides(o)
        and pg_catalog.to_regclass(o.relation) = pg_catalog.to_regclass(write.relation)
    loop
      -- What goes back behind batches of the other plan takes along what these did.
      execute format(
        'with mine as (
           select %1$s, s.key as name, min(u.batch) as first_batch, max(u.batch) as last_batch, array_agg(s.value ->> 1) as images,
             (array_agg(s.value ->> 0 order by u.batch))[1] as was, (array_agg(s.value ->> 1 order by u.batch desc))[1] as became
           from imago_undo.%2$I u cross join lateral jsonb_each(u.side) s
           where u.entity = any %3$s and u.op = ''u'' and u.side is not null
           group by %1$s, s.key
         ), handed as (
           select o.ctid as place, jsonb_object_agg(u.name, jsonb_build_array(u.was, case when n.goes_back then to_jsonb(u.was) else o.side -> u.name -> 1 end)) as side
           from mine u
           join %4$s t on %5$s
           cross join lateral (values %9$s) v(name, image)
           cross join lateral (select v.image is not distinct from u.became as goes_back) n
           join imago_undo.%6$I o on o.entity = %7$s and %8$s and o.op = ''u'' and o.side ? u.name
             and (n.goes_back and o.batch between u.first_batch and u.last_batch or not n.goes_back and o.side -> u.name ->> 0 = any (u.images))
           where v.name = u.name
           group by o.ctid
         )
         update imago_undo.%6$I o set side = o.side || h.side from handed h where o.ctid = h.place',
        row_keys, write.undo_table, imago.keys_sql(plan), write.relation,
        imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
        other.undo_table, imago.owner_sql(other, 't'),
        imago.each_column('o.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and '),
        coalesce(imago.side_values(write, '(%1$L, t.%1$I::text)'), '(null, null)'))
      using keys;
    end loop;
  end loop;
end
$$;
comment on function imago.hand_sides_over(imago.plan, anyarray) is 'Before entities go back: what another plan found as we left it, beside what it declares, it has found as we did.';
