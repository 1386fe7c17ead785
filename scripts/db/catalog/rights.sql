-- Comments and rights of all that the other parts give.
, named as (
  select distinct classid, objid, part, kind, name, coalesce(called, kind) as called, owner from objects
),
access as (
  select n.*, '' as on_column, s.nspowner as holder, acldefault('n', s.nspowner) as usual, s.nspacl as acl
  from named n join schemas s on s.oid = n.objid and n.kind = 'schema'
  union all
  select n.*, '', r.relowner, acldefault(case r.relkind when 'S' then 's' else 'r' end::"char", r.relowner), r.relacl
  from named n join relations r on r.oid = n.objid and n.classid = 'pg_catalog.pg_class'::regclass and n.part = 0
  union all
  select n.*, '', r.relowner, null, a.attacl
  from named n join relations r on r.oid = n.objid and n.kind = 'column'
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = n.part
  union all
  select n.*, ' on column ' || quote_ident(a.attname), r.relowner, null, a.attacl
  from named n join relations r on r.oid = n.objid and r.relkind in ('v', 'm') and n.classid = 'pg_catalog.pg_class'::regclass
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and a.attacl is not null
  union all
  select n.*, '', f.proowner, acldefault('f', f.proowner), f.proacl
  from named n join functions f on f.oid = n.objid and n.classid = 'pg_catalog.pg_proc'::regclass
  union all
  select n.*, '', t.typowner, acldefault('T', t.typowner), t.typacl
  from named n join pg_catalog.pg_type t on t.oid = n.objid and n.classid = 'pg_catalog.pg_type'::regclass
  union all
  select n.*, '', s.srvowner, acldefault('S', s.srvowner), s.srvacl
  from named n join pg_catalog.pg_foreign_server s on s.oid = n.objid and n.kind = 'server'
  union all
  select n.*, '', w.fdwowner, acldefault('F', w.fdwowner), w.fdwacl
  from named n join pg_catalog.pg_foreign_data_wrapper w on w.oid = n.objid and n.kind = 'foreign data wrapper'
  union all
  select n.*, '', l.lanowner, acldefault('l', l.lanowner), l.lanacl
  from named n join pg_catalog.pg_language l on l.oid = n.objid and n.kind = 'language'
)
select kind, name, owner, aspect, value, put, take from objects

union all
select n.kind, n.name, n.owner, 'comment', d.description, format('comment on %s %s is %L', n.called, n.name, d.description),
  format('comment on %s %s is null', n.called, n.name)
from named n
join pg_catalog.pg_description d on d.classoid = n.classid and d.objoid = n.objid and d.objsubid = n.part
-- Extensions bring comments of their own.
where n.kind <> 'extension'

union all
select n.kind, n.name, n.owner, 'security label of ' || quote_ident(l.provider), l.label,
  format('security label for %I on %s %s is %L', l.provider, n.called, n.name, l.label),
  format('security label for %I on %s %s is null', l.provider, n.called, n.name)
from named n
join pg_catalog.pg_seclabel l on l.classoid = n.classid and l.objoid = n.objid and l.objsubid = n.part

union all
select n.kind, n.name, n.owner, 'depends on extension ' || quote_ident(e.extname), '',
  format('alter %s %s depends on extension %I', n.called, n.name, e.extname),
  format('alter %s %s no depends on extension %I', n.called, n.name, e.extname)
from named n
join pg_catalog.pg_depend d on d.classid = n.classid and d.objid = n.objid and d.deptype = 'x'
join pg_catalog.pg_extension e on d.refclassid = 'pg_catalog.pg_extension'::regclass and e.oid = d.refobjid
where n.part = 0

union all
select a.kind, a.name, a.owner, concat('grants', a.on_column, ' to ', coalesce(quote_ident(r.rolname), 'public')), g.privileges, null, null
from access a
cross join lateral (
  select e.grantee,
    string_agg(lower(e.privilege_type) || case when e.is_grantable then ' with grant option' else '' end, ', ' order by e.privilege_type) as privileges
  from aclexplode(coalesce(a.acl, a.usual)) e where e.grantee <> a.holder group by e.grantee
) g
left join pg_catalog.pg_roles r on r.oid = g.grantee

-- Owners have all rights until some are revoked.
union all
select a.kind, a.name, a.owner, 'revoked from its owner', string_agg(lower(u.privilege_type), ', ' order by u.privilege_type), null, null
from access a
cross join lateral aclexplode(a.usual) u
where a.acl is not null and u.grantee = a.holder
  and not exists (select from aclexplode(a.acl) e where e.grantee = a.holder and e.privilege_type = u.privilege_type)
group by a.kind, a.name, a.owner

union all
select n.kind, n.name, n.owner, 'owned by', quote_ident(r.rolname), format('alter %s %s owner to %I', n.called, n.name, r.rolname),
  format('alter %s %s owner to %I', n.called, n.name, current_user)
from named n
join (
  select 'pg_catalog.pg_class'::regclass as classid, oid, relowner as holder from relations
  union all
  select 'pg_catalog.pg_proc'::regclass, oid, proowner from functions
  union all
  select 'pg_catalog.pg_type'::regclass, oid, typowner from types
  union all
  select 'pg_catalog.pg_namespace'::regclass, oid, nspowner from schemas
  union all
  select 'pg_catalog.pg_collation'::regclass, oid, collowner from pg_catalog.pg_collation
  union all
  select 'pg_catalog.pg_conversion'::regclass, oid, conowner from pg_catalog.pg_conversion
  union all
  select 'pg_catalog.pg_ts_dict'::regclass, oid, dictowner from pg_catalog.pg_ts_dict
  union all
  select 'pg_catalog.pg_ts_config'::regclass, oid, cfgowner from pg_catalog.pg_ts_config
  union all
  select 'pg_catalog.pg_operator'::regclass, oid, oprowner from pg_catalog.pg_operator
  union all
  select 'pg_catalog.pg_opclass'::regclass, oid, opcowner from pg_catalog.pg_opclass
  union all
  select 'pg_catalog.pg_opfamily'::regclass, oid, opfowner from pg_catalog.pg_opfamily
  union all
  select 'pg_catalog.pg_statistic_ext'::regclass, oid, stxowner from pg_catalog.pg_statistic_ext
  union all
  select 'pg_catalog.pg_publication'::regclass, oid, pubowner from pg_catalog.pg_publication
  union all
  select 'pg_catalog.pg_foreign_server'::regclass, oid, srvowner from pg_catalog.pg_foreign_server
) o on o.classid = n.classid and o.oid = n.objid
join pg_catalog.pg_roles r on r.oid = o.holder
where n.part = 0 and r.rolname <> current_user
order by 1, 2, 4
