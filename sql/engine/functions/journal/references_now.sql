create or replace function imago.references_now(plan_name text, target text)
returns table (write imago.plan_write, name text, referenced text)
language sql
stable
set search_path = ''
as $$
  select w, a.attname::text, k.attname::text
  from imago.writes_now(plan_name) w
  join pg_catalog.pg_constraint c on c.conrelid = pg_catalog.to_regclass(w.relation) and c.contype = 'f' and c.confupdtype = 'c'
    and c.conparentid = 0 and c.confrelid = pg_catalog.to_regclass(target) and cardinality(c.conkey) = 1
  join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
  join pg_catalog.pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
  where a.attname = any (w.columns || w.inserted_columns)
$$;
comment on function imago.references_now(text, text) is 'Journaled columns that follow a key of this table by a foreign key (on update cascade), and the column that they follow.';
