-- Functions, types, what searches and compares, and what has no schema.
select 'pg_catalog.pg_proc'::regclass as classid, f.oid as objid, 0 as part,
  case f.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as kind, f.oid::regprocedure::text as name,
  null as called, null as owner, 'definition' as aspect,
  case when f.prokind <> 'a' then pg_get_functiondef(f.oid) else (
    select concat_ws(' ', pg_get_function_arguments(f.oid), a.aggkind, a.aggnumdirectargs, a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
      a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn, a.aggfinalextra, a.aggmfinalextra,
      a.aggfinalmodify, a.aggmfinalmodify, nullif(a.aggsortop, 0)::regoperator, a.aggtranstype::regtype, a.aggtransspace,
      nullif(a.aggmtranstype, 0)::regtype, a.aggmtransspace, a.agginitval, a.aggminitval, f.proparallel, f.provolatile)
    from pg_catalog.pg_aggregate a where a.aggfnoid = f.oid) end as value,
  null as put, null as take
from functions f

union all
select 'pg_catalog.pg_type'::regclass, t.oid, 0, case t.typtype when 'e' then 'enum' when 'd' then 'domain' else 'range' end, t.name,
  case when t.typtype <> 'd' then 'type' end, null, x.aspect, x.value, null, null
from types t
cross join lateral (
  select 'values' as aspect, string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) as value
  from pg_catalog.pg_enum e where e.enumtypid = t.oid having t.typtype = 'e'
  union all
  select 'definition', concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
    case when t.typcollation <> (select b.typcollation from pg_catalog.pg_type b where b.oid = t.typbasetype)
      then 'collate ' || t.typcollation::regcollation::text end)
  where t.typtype = 'd'
  union all
  select 'not null', '' where t.typnotnull
  union all
  select 'default', t.typdefault where t.typdefault is not null
  union all
  select 'definition', concat_ws(' ', format_type(g.rngsubtype, null), nullif(g.rngcollation, 0)::regcollation::text, c.opcname,
    nullif(g.rngcanonical, 0)::regproc::text, nullif(g.rngsubdiff, 0)::regproc::text, g.rngmultitypid::regtype::text)
  from pg_catalog.pg_range g join pg_catalog.pg_opclass c on c.oid = g.rngsubopc where g.rngtypid = t.oid
) x

union all
select 'pg_catalog.pg_collation'::regclass, c.oid, 0, 'collation', format('%I.%I', s.nspname, c.collname), null, null, 'definition',
  concat_ws(' ', c.collprovider, case when not c.collisdeterministic then 'not deterministic' end, c.collcollate, c.collctype,
    -- PostgreSQL 17 has other names for it than 15.
    coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'), to_jsonb(c) ->> 'collicurules'), null, null
from pg_catalog.pg_collation c join schemas s on s.oid = c.collnamespace
where not exists (select from members m where m.classid = 'pg_catalog.pg_collation'::regclass and m.objid = c.oid)

union all
select 'pg_catalog.pg_conversion'::regclass, c.oid, 0, 'conversion', x.name, null, null, 'definition', x.how,
  format('create %sconversion %s %s', case when c.condefault then 'default ' end, x.name, x.how), format('drop conversion %s', x.name)
from pg_catalog.pg_conversion c
join schemas s on s.oid = c.connamespace
cross join lateral (
  select format('%I.%I', s.nspname, c.conname) as name,
    format('for %L to %L from %s', pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc) as how) x

union all
select 'pg_catalog.pg_ts_dict'::regclass, d.oid, 0, 'text search dictionary', format('%I.%I', s.nspname, d.dictname), null, null,
  'definition', concat_ws(', ', x.template, d.dictinitoption),
  format('create text search dictionary %I.%I (%s)', s.nspname, d.dictname, concat_ws(', ', 'template = ' || x.template, d.dictinitoption)),
  format('drop text search dictionary %I.%I', s.nspname, d.dictname)
from pg_catalog.pg_ts_dict d
join schemas s on s.oid = d.dictnamespace
cross join lateral (
  select format('%I.%I', n.nspname, t.tmplname) as template
  from pg_catalog.pg_ts_template t join pg_catalog.pg_namespace n on n.oid = t.tmplnamespace where t.oid = d.dicttemplate) x
where not exists (select from members m where m.classid = 'pg_catalog.pg_ts_dict'::regclass and m.objid = d.oid)

union all
select 'pg_catalog.pg_ts_config'::regclass, c.oid, 0, 'text search configuration', x.name, null, null, y.aspect, y.value, y.put, y.take
from pg_catalog.pg_ts_config c
join schemas s on s.oid = c.cfgnamespace
cross join lateral (
  select format('%I.%I', s.nspname, c.cfgname) as name, format('%I.%I', n.nspname, p.prsname) as parser
  from pg_catalog.pg_ts_parser p join pg_catalog.pg_namespace n on n.oid = p.prsnamespace where p.oid = c.cfgparser) x
cross join lateral (
  select 'definition' as aspect, x.parser as value,
    format('create text search configuration %s (parser = %s)', x.name, x.parser) as put, format('drop text search configuration %s', x.name) as take
  union all
  select 'mapping for ' || quote_ident(m.token), m.dictionaries,
    format('alter text search configuration %s add mapping for %I with %s', x.name, m.token, m.dictionaries),
    format('alter text search configuration %s drop mapping for %I', x.name, m.token)
  from (
    select t.alias as token, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
    from pg_catalog.pg_ts_config_map m
    join pg_catalog.ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
    where m.mapcfg = c.oid group by t.alias) m
) y
where not exists (select from members m where m.classid = 'pg_catalog.pg_ts_config'::regclass and m.objid = c.oid)

union all
select 'pg_catalog.pg_operator'::regclass, o.oid, 0, 'operator', x.name, null, null, 'definition', x.definition,
  format('create operator %I.%s (%s)', s.nspname, o.oprname, x.definition), format('drop operator %s', x.name)
from pg_catalog.pg_operator o
join schemas s on s.oid = o.oprnamespace
cross join lateral (
  select format('%I.%s (%s, %s)', s.nspname, o.oprname, coalesce(nullif(o.oprleft, 0)::regtype::text, 'none'), o.oprright::regtype) as name,
    concat_ws(', ', 'function = ' || o.oprcode::regproc, 'leftarg = ' || nullif(o.oprleft, 0)::regtype, 'rightarg = ' || o.oprright::regtype,
      (select format('commutator = operator(%I.%s)', n.nspname, c.oprname) from pg_catalog.pg_operator c
       join pg_catalog.pg_namespace n on n.oid = c.oprnamespace where c.oid = o.oprcom),
      (select format('negator = operator(%I.%s)', n.nspname, c.oprname) from pg_catalog.pg_operator c
       join pg_catalog.pg_namespace n on n.oid = c.oprnamespace where c.oid = o.oprnegate),
      'restrict = ' || nullif(o.oprrest, 0)::regproc, 'join = ' || nullif(o.oprjoin, 0)::regproc,
      case when o.oprcanhash then 'hashes' end, case when o.oprcanmerge then 'merges' end) as definition) x
-- One that only another one names is not defined.
where o.oprcode <> 0
  and not exists (select from members m where m.classid = 'pg_catalog.pg_operator'::regclass and m.objid = o.oid)

union all
select 'pg_catalog.pg_opclass'::regclass, c.oid, 0, 'operator class', format('%I.%I using %I', s.nspname, c.opcname, m.amname), null, null,
  'definition', concat_ws(' ', c.opcintype::regtype, nullif(c.opckeytype, 0)::regtype, case when c.opcdefault then 'default' end,
    (select string_agg(format('%s %s', a.amopstrategy, a.amopopr::regoperator), ', ' order by a.amopstrategy, a.amopopr::regoperator::text)
     from pg_catalog.pg_amop a where a.amopfamily = c.opcfamily and a.amoplefttype = c.opcintype),
    (select string_agg(format('%s %s', a.amprocnum, a.amproc::regprocedure), ', ' order by a.amprocnum)
     from pg_catalog.pg_amproc a where a.amprocfamily = c.opcfamily and a.amproclefttype = c.opcintype)), null, null
from pg_catalog.pg_opclass c
join schemas s on s.oid = c.opcnamespace
join pg_catalog.pg_am m on m.oid = c.opcmethod
where not exists (select from members e where e.classid = 'pg_catalog.pg_opclass'::regclass and e.objid = c.oid)

-- What is in one and in none of its classes.
union all
select 'pg_catalog.pg_opfamily'::regclass, f.oid, 0, 'operator family', x.name, null,
  (select 'operator class ' || x.name from pg_catalog.pg_opclass c
   where c.opcfamily = f.oid and c.opcname = f.opfname and c.opcnamespace = f.opfnamespace limit 1),
  'definition', concat_ws(', ',
    (select string_agg(concat_ws(' ', 'operator', a.amopstrategy, a.amopopr::regoperator, nullif(a.amopsortfamily, 0)), ', '
       order by a.amopstrategy, a.amopopr::regoperator::text)
     from pg_catalog.pg_amop a
     where a.amopfamily = f.oid and not exists (
       select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_amop'::regclass and d.objid = a.oid
         and d.refclassid = 'pg_catalog.pg_opclass'::regclass)),
    (select string_agg(format('function %s (%s, %s) %s', a.amprocnum, a.amproclefttype::regtype, a.amprocrighttype::regtype, a.amproc::regprocedure), ', '
       order by a.amprocnum, a.amproclefttype::regtype::text, a.amprocrighttype::regtype::text)
     from pg_catalog.pg_amproc a
     where a.amprocfamily = f.oid and not exists (
       select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_amproc'::regclass and d.objid = a.oid
         and d.refclassid = 'pg_catalog.pg_opclass'::regclass))), null, null
from pg_catalog.pg_opfamily f
join schemas s on s.oid = f.opfnamespace
join pg_catalog.pg_am m on m.oid = f.opfmethod
cross join lateral (select format('%I.%I using %I', s.nspname, f.opfname, m.amname) as name) x
where not exists (select from members e where e.classid = 'pg_catalog.pg_opfamily'::regclass and e.objid = f.oid)

union all
select 'pg_catalog.pg_ts_parser'::regclass, p.oid, 0, 'text search parser', format('%I.%I', s.nspname, p.prsname), null, null, 'definition',
  concat_ws(' ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype), null, null
from pg_catalog.pg_ts_parser p join schemas s on s.oid = p.prsnamespace
where not exists (select from members m where m.classid = 'pg_catalog.pg_ts_parser'::regclass and m.objid = p.oid)

union all
select 'pg_catalog.pg_ts_template'::regclass, t.oid, 0, 'text search template', format('%I.%I', s.nspname, t.tmplname), null, null, 'definition',
  concat_ws(' ', t.tmplinit, t.tmpllexize), null, null
from pg_catalog.pg_ts_template t join schemas s on s.oid = t.tmplnamespace
where not exists (select from members m where m.classid = 'pg_catalog.pg_ts_template'::regclass and m.objid = t.oid)

-- Base types, and those of which only the name is known yet.
union all
select 'pg_catalog.pg_type'::regclass, t.oid, 0, 'base type', format('%I.%I', s.nspname, t.typname), 'type', null, 'definition',
  case when t.typisdefined then concat_ws(' ', t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim,
    t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typsubscript, t.typdefault,
    t.typcollation::regcollation, nullif(t.typelem, 0)::regtype) else '' end, null, null
from pg_catalog.pg_type t join schemas s on s.oid = t.typnamespace
where t.typtype in ('b', 'p')
  and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
  and not exists (select from members m where m.classid = 'pg_catalog.pg_type'::regclass and m.objid = t.oid)

-- From here on without a schema.
union all
select 'pg_catalog.pg_transform'::regclass, t.oid, 0, 'transform', format('for %s language %I', format_type(t.trftype, null), l.lanname), null, null,
  'definition', concat_ws(' ', nullif(t.trffromsql, 0)::regprocedure, 'and', nullif(t.trftosql, 0)::regprocedure), null, null
from pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = t.trflang
where not exists (select from members m where m.classid = 'pg_catalog.pg_transform'::regclass and m.objid = t.oid)

union all
select 'pg_catalog.pg_language'::regclass, l.oid, 0, 'language', quote_ident(l.lanname), null, null, 'definition',
  concat_ws(' ', case when l.lanpltrusted then 'trusted' end, nullif(l.lanplcallfoid, 0)::regproc, nullif(l.laninline, 0)::regproc,
    nullif(l.lanvalidator, 0)::regproc), null, null
from pg_catalog.pg_language l
join roles r on r.oid = l.lanowner
where not exists (select from members m where m.classid = 'pg_catalog.pg_language'::regclass and m.objid = l.oid)

union all
select 'pg_catalog.pg_am'::regclass, a.oid, 0, 'access method', quote_ident(a.amname), null, null, 'definition',
  concat_ws(' ', a.amtype, a.amhandler), null, null
from pg_catalog.pg_am a
where a.oid >= 16384 and not exists (select from members m where m.classid = 'pg_catalog.pg_am'::regclass and m.objid = a.oid)

-- What it connects to is a secret.
union all
select 'pg_catalog.pg_subscription'::regclass, s.oid, 0, 'subscription', quote_ident(s.subname), null, null, x.aspect, x.value, null, null
from pg_catalog.pg_subscription s
join roles r on r.oid = s.subowner
cross join lateral (values
  ('definition', concat_ws(' ', array(select p from unnest(s.subpublications) p order by p)::text, 'slot', s.subslotname, 'commits', s.subsynccommit,
    case when s.subbinary then 'binary' end, 'streams', left(s.substream::text, 1), case when s.subdisableonerr then 'disable on error' end)),
  ('disabled', case when not s.subenabled then '' end)
) as x(aspect, value)
where s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database()) and x.value is not null

union all
select 'pg_catalog.pg_cast'::regclass, c.oid, 0, 'cast', x.name, null, null, 'definition', x.how, format('create cast %s %s', x.name, x.how),
  format('drop cast %s', x.name)
from pg_catalog.pg_cast c
cross join lateral (
  select format('(%s as %s)', format_type(c.castsource, null), format_type(c.casttarget, null)) as name,
    case c.castmethod when 'b' then 'without function' when 'i' then 'with inout' else 'with function ' || c.castfunc::regprocedure end
      || case c.castcontext when 'a' then ' as assignment' when 'i' then ' as implicit' else '' end as how) x
-- What comes with PostgreSQL has lower numbers.
where c.oid >= 16384
  and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_cast'::regclass and d.objid = c.oid and d.deptype in ('e', 'i'))

union all
select 'pg_catalog.pg_extension'::regclass, e.oid, 0, 'extension', quote_ident(e.extname), null, null, 'definition',
  -- The others have one of their own.
  case when e.extrelocatable then 'in ' || quote_ident(n.nspname) else '' end, null, null
from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
-- Those that the platform brings, here or there.
where e.extname <> all ('{plpgsql,pg_graphql,pg_stat_statements,pgsodium,supabase_vault}')

union all
select 'pg_catalog.pg_event_trigger'::regclass, e.oid, 0, 'event trigger', quote_ident(e.evtname), null, null, x.aspect, x.value, null, null
from pg_catalog.pg_event_trigger e
join roles r on r.oid = e.evtowner
cross join lateral (values
  ('definition', concat_ws(' ', e.evtevent, array(select t from unnest(e.evttags) t order by t)::text, e.evtfoid::regprocedure)),
  ('state', case e.evtenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
) as x(aspect, value)
where x.value is not null
  and not exists (select from members m where m.classid = 'pg_catalog.pg_event_trigger'::regclass and m.objid = e.oid)

union all
select 'pg_catalog.pg_foreign_data_wrapper'::regclass, w.oid, 0, 'foreign data wrapper', quote_ident(w.fdwname), null, null, 'definition',
  concat_ws(' ', nullif(w.fdwhandler, 0)::regproc, nullif(w.fdwvalidator, 0)::regproc, array(select o from unnest(w.fdwoptions) o order by o)::text),
  null, null
from pg_catalog.pg_foreign_data_wrapper w
join roles r on r.oid = w.fdwowner
where not exists (select from members m where m.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass and m.objid = w.oid)

union all
select 'pg_catalog.pg_foreign_server'::regclass, s.oid, 0, 'server', quote_ident(s.srvname), null, null, 'definition',
  concat_ws(' ', quote_ident(w.fdwname), s.srvtype, s.srvversion, array(select o from unnest(s.srvoptions) o order by o)::text), null, null
from pg_catalog.pg_foreign_server s
join roles r on r.oid = s.srvowner
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
where not exists (select from members m where m.classid = 'pg_catalog.pg_foreign_server'::regclass and m.objid = s.oid)

union all
select 'pg_catalog.pg_user_mapping'::regclass, m.umid, 0, 'user mapping', format('for %I server %I', m.usename, m.srvname), null,
  'server ' || quote_ident(m.srvname), 'definition', array(select o from unnest(m.umoptions) o order by o)::text, null, null
from pg_catalog.pg_user_mappings m
join pg_catalog.pg_foreign_server s on s.oid = m.srvid
join roles r on r.oid = s.srvowner

union all
select 'pg_catalog.pg_publication'::regclass, p.oid, 0, 'publication', quote_ident(p.pubname), null, null, 'definition',
  concat_ws(' ', case when p.puballtables then 'for all tables' end, case when p.pubinsert then 'insert' end,
    case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end,
    case when p.pubviaroot then 'via root' end), null, null
from pg_catalog.pg_publication p
join roles r on r.oid = p.pubowner
-- The platform makes it; who is in it, the project says.
where p.pubname <> 'supabase_realtime'

union all
select 'pg_catalog.pg_publication_rel'::regclass, m.oid, 0, 'published table', r.name || ' in ' || quote_ident(p.pubname), null,
  'publication ' || quote_ident(p.pubname), 'definition',
  concat_ws(' ',
    (select '(' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) || ')' from pg_catalog.pg_attribute a
     where a.attrelid = m.prrelid and a.attnum = any (m.prattrs::int2[])),
    'where ' || pg_get_expr(m.prqual, m.prrelid)), null, null
from pg_catalog.pg_publication_rel m
join pg_catalog.pg_publication p on p.oid = m.prpubid
join relations r on r.oid = m.prrelid

union all
select 'pg_catalog.pg_publication_namespace'::regclass, m.oid, 0, 'published schema', quote_ident(s.nspname) || ' in ' || quote_ident(p.pubname),
  null, 'publication ' || quote_ident(p.pubname), 'definition', '', null, null
from pg_catalog.pg_publication_namespace m
join pg_catalog.pg_publication p on p.oid = m.pnpubid
join schemas s on s.oid = m.pnnspid

union all
select 'pg_catalog.pg_default_acl'::regclass, d.oid, 0, 'default privileges',
  concat('of ', quote_ident(r.rolname), coalesce(' in schema ' || quote_ident(s.nspname), ''), ' on ', x.what),
  null, null, 'definition',
  (select string_agg(concat(coalesce(quote_ident(g.rolname), 'public'), ' ', lower(e.privilege_type), case when e.is_grantable then ' with grant option' end),
     ', ' order by g.rolname, e.privilege_type)
   from aclexplode(d.defaclacl) e left join pg_catalog.pg_roles g on g.oid = e.grantee), y.put, y.take
from pg_catalog.pg_default_acl d
join roles r on r.oid = d.defaclrole
left join schemas s on s.oid = d.defaclnamespace
cross join lateral (
  select case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas' end
    as what) x
-- supabase db diff writes those of the role that it connects as.
cross join lateral (
  select
    string_agg(format('alter default privileges for role %I in schema %I grant %s on %s to %s%s', r.rolname, s.nspname, e.privilege_type, x.what,
      coalesce(quote_ident(g.rolname), 'public'), case when e.is_grantable then ' with grant option' end), '; ' order by g.rolname, e.privilege_type) as put,
    string_agg(distinct format('alter default privileges for role %I in schema %I revoke all on %s from %s', r.rolname, s.nspname, x.what,
      coalesce(quote_ident(g.rolname), 'public')), '; ') as take
  from aclexplode(d.defaclacl) e left join pg_catalog.pg_roles g on g.oid = e.grantee
  where s.nspname is not null and r.rolname <> current_user
) y
where d.defaclnamespace = 0 or s.oid is not null
