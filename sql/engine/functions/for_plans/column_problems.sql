create or replace function imago.column_problems(relation text, name text, types text[])
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', case when a.attname is null then 'missing_column' else 'wrong_type' end, format('%s.%I', relation, name),
    case when a.attname is null then 'column is missing' else format('has type %s', pg_catalog.format_type(a.atttypid, null)) end,
    format('The plan needs it as %s.', array_to_string(types, ' or '))
  from (select pg_catalog.to_regclass(relation) as oid) r
  left join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attname = name and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_type t on t.oid = a.atttypid
  -- The journal keeps enums as text, and yet they are none: a text does not fit into one.
  where r.oid is not null
    and (a.attname is null or t.typcategory = 'E' or imago.journal_type(a.atttypid, -1) <> all (types))
$$;
comment on function imago.column_problems(text, text, text[]) is 'For plans: what is wrong with a column that a plan needs: missing, or of another type. Each is a row for preflight().

Example: select * from imago.column_problems(''public.users'', ''id'', ''{uuid}'')';
