create or replace function imago.unlike_fields(staged imago.plan)
returns table (name text, type text, field text, field_type text)
language sql
stable
set search_path = ''
as $$
  select k.name, c.type, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
  from unnest(imago.key_names(staged.key_column)) with ordinality k(name, n)
  cross join lateral imago.key_type(staged.source, k.name) c(type)
  join unnest(imago.key_fields(staged.key_type)) with ordinality f(name, n) on f.n = k.n
  join pg_catalog.pg_type t on t.oid = pg_catalog.to_regtype(staged.key_type)
  join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attname = f.name
  where pg_catalog.to_regclass(staged.source) is not null
    and c.type <> pg_catalog.format_type(a.atttypid, a.atttypmod)
$$;
comment on function imago.unlike_fields(imago.plan) is 'Columns of a key of several whose type is another one by now than that of their field.';
