create or replace function imago.undeclared_probe(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'insert into imago.log (plan, level, event, detail)
     select %L, ''debug'', ''undeclared_column'', jsonb_build_object(''relation'', %L, ''column'', a.key)
     from (select o, n from old_rows o join new_rows n on %s limit 1000) changed
     cross join lateral jsonb_each(to_jsonb(o)) b join lateral jsonb_each(to_jsonb(n)) a on a.key = b.key
     where a.value is distinct from b.value and a.key <> all (%L::text[])
     group by a.key;',
    write.plan, write.relation,
    (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(write.key_columns) c),
    write.columns)
$$;
comment on function imago.undeclared_probe(imago.plan_write) is 'SQL for the capture function: in a dry run, notes columns that changed and are not declared.';
