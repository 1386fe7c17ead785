create or replace function imago.column_sequences(relation text)
returns table (column_name text, sequence oid)
language sql
stable
set search_path = ''
as $$
  -- Of identity and serial columns (owned), and of defaults that draw from a sequence of their own making.
  select distinct a.attname::text, s.oid
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i')
    or d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
       and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  join pg_catalog.pg_class s on s.relkind = 'S' and s.oid = case when d.objid = f.oid then d.refobjid else d.objid end
  join pg_catalog.pg_type t on t.oid = a.atttypid and t.typcategory = 'N'
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
    and (a.attidentity <> '' or f.oid is not null)
$$;
comment on function imago.column_sequences(text) is 'Numeric columns of a table whose values come from a sequence: serial, identity, or a default that draws from one.';
