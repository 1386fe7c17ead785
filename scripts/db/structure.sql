-- The tables and sequences of the user with their columns, by number: what is gone, what was rewritten, what has changed
-- its type can be told from two of these, whatever was renamed meanwhile.
select
  c.oid::int8::text as oid,
  n.nspname as schema,
  c.relname as name,
  c.relkind as kind,
  c.relfilenode::int8::text as file,
  (select i.inhparent::int8::text from pg_catalog.pg_inherits i where i.inhrelid = c.oid and c.relispartition) as parent,
  array(
    select a.attname::text from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = c.oid and i.indisprimary
  ) as key,
  coalesce((
    select jsonb_agg(jsonb_build_object(
      'number', a.attnum,
      'name', a.attname,
      'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'typeId', a.atttypid::int8::text,
      -- Types that a version can change are kept as text.
      'asText', case when t.typelem <> 0 and t.typcategory = 'A' then e.typnamespace else t.typnamespace end <> 'pg_catalog'::regnamespace,
      'labels', (select jsonb_agg(v.enumlabel order by v.enumsortorder) from pg_catalog.pg_enum v where v.enumtypid in (t.oid, t.typelem)),
      'attributes', (
        select jsonb_agg(m.attname || ' ' || pg_catalog.format_type(m.atttypid, m.atttypmod) order by m.attnum)
        from pg_catalog.pg_attribute m
        where m.attrelid = coalesce(nullif(t.typrelid, 0), e.typrelid) and m.attnum > 0 and not m.attisdropped),
      'notNull', a.attnotnull,
      'filled', a.atthasdef or a.attidentity <> '',
      'generated', a.attgenerated <> ''
    ) order by a.attnum)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_type e on e.oid = t.typelem
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind <> 'S'
  ), '[]') as columns
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'S')
  and n.nspname !~ '^pg_'
  and n.nspname not in ('information_schema', 'imago', 'imago_undo', 'imago_attic', 'supabase_migrations')
