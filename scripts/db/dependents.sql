-- What stands on columns or types and keeps the type of a column from being changed, with the statement that takes it out of the way.
-- $1: columns as {"relation", "number"}; $2: types.
with columns as (
  select c.relation::oid as relation, c.number from jsonb_to_recordset($1::text::jsonb) as c(relation text, number int)
),
used as (
  select d.classid, d.objid from pg_catalog.pg_depend d
  join columns c on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = c.relation and d.refobjsubid = c.number
  union
  select d.classid, d.objid from pg_catalog.pg_depend d
  where d.refclassid = 'pg_catalog.pg_type'::regclass and d.refobjid = any (($2::text[])::oid[])
)
select pg_catalog.format('drop policy %I on %I.%I', p.polname, n.nspname, r.relname) as statement
from pg_catalog.pg_policy p
join pg_catalog.pg_class r on r.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where exists (select from used u where u.classid = 'pg_catalog.pg_policy'::regclass and u.objid = p.oid)

union all
select pg_catalog.format('drop trigger %I on %I.%I', t.tgname, n.nspname, r.relname)
from pg_catalog.pg_trigger t
join pg_catalog.pg_class r on r.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where not t.tgisinternal and t.tgparentid = 0
  and exists (select from used u where u.classid = 'pg_catalog.pg_trigger'::regclass and u.objid = t.oid)

union all
select pg_catalog.format('alter table %I.%I drop column %I', n.nspname, r.relname, a.attname)
from pg_catalog.pg_attrdef f
join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
join pg_catalog.pg_class r on r.oid = f.adrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
where a.attgenerated <> '' and not r.relispartition
  and exists (select from used u where u.classid = 'pg_catalog.pg_attrdef'::regclass and u.objid = f.oid)

-- A body that PostgreSQL has read already holds on to columns: until it is written again, another one stands in for it.
union all
select replace(left(f.text, -length(f.body) - 1), E'\n LANGUAGE sql\n', E'\n LANGUAGE plpgsql\n') || 'as $$ begin end $$'
from pg_catalog.pg_proc p
cross join lateral (select pg_catalog.pg_get_functiondef(p.oid) as text, pg_catalog.pg_get_function_sqlbody(p.oid) as body) f
where p.prosqlbody is not null
  and exists (select from used u where u.classid = 'pg_catalog.pg_proc'::regclass and u.objid = p.oid)
order by 1
