-- Constraints, indexes and owned sequences with what they are apart from their names.
select
  'constraint' as kind,
  r.oid::int8::text as relation,
  pg_catalog.format('%I.%I', n.nspname, r.relname) as owner,
  n.nspname as schema,
  k.conname as name,
  pg_catalog.pg_get_constraintdef(k.oid) as definition
from pg_catalog.pg_constraint k
join pg_catalog.pg_class r on r.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where k.contype in ('c', 'f', 'p', 'u', 'x') and k.coninhcount = 0 and n.nspname !~ '^(pg_|information_schema)'

union all
select
  'index',
  r.oid::int8::text,
  pg_catalog.format('%I.%I', n.nspname, r.relname),
  n.nspname,
  x.relname,
  replace(pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.format(' INDEX %I ON ', x.relname), ' INDEX ON ')
from pg_catalog.pg_index i
join pg_catalog.pg_class x on x.oid = i.indexrelid
join pg_catalog.pg_class r on r.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where n.nspname !~ '^(pg_|information_schema)'
  and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))

union all
select
  'sequence',
  r.oid::int8::text,
  pg_catalog.format('%I.%I', n.nspname, r.relname),
  sn.nspname,
  s.relname,
  a.attname
from pg_catalog.pg_class s
join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
join pg_catalog.pg_class r on r.oid = d.refobjid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = d.refobjsubid
where s.relkind = 'S' and n.nspname !~ '^(pg_|information_schema)'
