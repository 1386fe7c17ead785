create or replace function imago.undeclared_probe(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  -- Rows that the plan has inserted go back whole, and generated columns by themselves: neither needs declaring.
  select format(
    'insert into imago.log (plan, level, event, detail)
     select %1$L, ''debug'', ''undeclared_column'', jsonb_build_object(''relation'', %2$L, ''column'', a.key)
     from (
       select to_jsonb(o.*) as before, to_jsonb(n.*) as after from old_rows o join new_rows n on %3$s
       where not exists (select from imago_undo.%4$I j where j.entity = %5$s and j.op = ''i'' and %6$s)
       limit 1000
     ) changed
     cross join lateral jsonb_each(changed.before) b join lateral jsonb_each(changed.after) a on a.key = b.key
     where a.value is distinct from b.value and a.key <> all (%7$L::text[])
     group by a.key;',
    write.plan, write.relation,
    (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(write.key_columns) c),
    write.undo_table, imago.entity_sql(write, 'n'),
    imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
    write.columns || array(
      select a.attname::text from pg_catalog.pg_attribute a
      where a.attrelid = write.relation::pg_catalog.regclass and a.attgenerated <> '' and not a.attisdropped))
$$;
comment on function imago.undeclared_probe(imago.plan_write) is 'SQL for the capture function: in a dry run, notes columns that changed and are not declared.';
