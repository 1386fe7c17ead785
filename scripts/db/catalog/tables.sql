-- Schemas, tables and what stands on them, sequences and views.
select 'pg_catalog.pg_namespace'::regclass as classid, s.oid as objid, 0 as part, 'schema' as kind, quote_ident(s.nspname) as name,
  null as called, null as owner, 'definition' as aspect, '' as value, null as put, null as take
from schemas s
-- Owned and granted by the platform, not everywhere in the same way.
where s.nspname <> 'public'

union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, r.kind, r.name, r.called, null, a.aspect, a.value, a.put, a.take
from relations r
cross join lateral (values
  ('definition', coalesce('partition by ' || pg_get_partkeydef(r.oid), ''), null, null),
  ('of a type', nullif(r.reloftype, 0)::regtype::text,
    format('alter table %s of %s', r.name, r.reloftype::regtype), format('alter table %s not of', r.name)),
  ('unlogged', case r.relpersistence when 'u' then '' end, null, null),
  ('access method', (select quote_ident(m.amname) from pg_catalog.pg_am m where m.oid = r.relam and m.amname <> 'heap'), null, null),
  ('row level security', case when r.relrowsecurity then '' end, null, null),
  ('forced row level security', case when r.relforcerowsecurity then '' end, null, null),
  ('replica identity', case r.relreplident when 'n' then 'nothing' when 'f' then 'full' when 'i' then (
    select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = r.oid and i.indisreplident) end, null, null),
  ('clustered on',
    (select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = r.oid and i.indisclustered),
    (select format('alter table %s cluster on %I', r.name, c.relname) from pg_catalog.pg_index i
     join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indrelid = r.oid and i.indisclustered),
    format('alter table %s set without cluster', r.name)),
  ('server', (select concat_ws(' ', quote_ident(s.srvname), array(select o from unnest(f.ftoptions) o order by o)::text)
    from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = r.oid), null, null)
) as a(aspect, value, put, take)
where r.relkind in ('r', 'p', 'f') and a.value is not null

union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, r.kind, r.name, r.called, null, x.aspect, x.value, x.put, x.take
from relations r
join pg_catalog.pg_inherits i on i.inhrelid = r.oid
cross join lateral (select i.inhparent::regclass::text as parent, pg_get_expr(r.relpartbound, r.oid) as bound) as of
cross join lateral (
  select 'partition of ' || parent as aspect, bound as value, format('alter table %s attach partition %s %s', parent, r.name, bound) as put,
    format('alter table %s detach partition %s', parent, r.name) as take
  where r.relispartition
  union all
  select 'inherits ' || parent, '', format('alter table %s inherit %s', r.name, parent), format('alter table %s no inherit %s', r.name, parent)
  where not r.relispartition
) x

-- Options are sets: in which order they were given says nothing.
union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, r.kind, r.name, r.called, null, 'option ' || o.option_name, o.option_value,
  format('alter %s %s set (%s = %L)', r.kind, r.name, o.option_name, o.option_value),
  format('alter %s %s reset (%s)', r.kind, r.name, o.option_name)
from relations r
cross join lateral (
  select * from pg_catalog.pg_options_to_table(r.reloptions)
  union all
  select 'toast.' || t.option_name, t.option_value
  from pg_catalog.pg_class x cross join lateral pg_catalog.pg_options_to_table(x.reloptions) t where x.oid = r.reltoastrelid
) o

union all
select 'pg_catalog.pg_class'::regclass, r.oid, a.attnum, 'column', r.name || '.' || quote_ident(a.attname), null,
  r.kind || ' ' || r.name, x.aspect, x.value, x.put, x.take
from relations r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
cross join lateral (select format('alter %s %s alter column %I', r.kind, r.name, a.attname) as alter) as say
cross join lateral (values
  ('definition', concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation::text end), null, null),
  ('not null', case when a.attnotnull then '' end, null, null),
  ('identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end, null, null),
  ('default', case a.attgenerated when '' then pg_get_expr(d.adbin, d.adrelid) end, null, null),
  ('generated', case when a.attgenerated <> '' then a.attgenerated::text || ' ' || pg_get_expr(d.adbin, d.adrelid) end, null, null),
  ('storage', case when a.attstorage <> t.typstorage then a.attstorage::text end,
    alter || ' set storage ' || case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end,
    alter || ' set storage ' || case t.typstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end),
  ('compression', nullif(a.attcompression::text, ''),
    alter || ' set compression ' || case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end, alter || ' set compression default'),
  ('statistics target', nullif(a.attstattarget, -1)::text,
    format('%s set statistics %s', alter, a.attstattarget), alter || ' set statistics -1'),
  ('options', nullif(array(select o from unnest(a.attoptions) o order by o)::text, '{}'),
    alter || ' set (' || array_to_string(a.attoptions, ', ') || ')',
    alter || ' reset (' || (select string_agg(o.option_name, ', ') from pg_catalog.pg_options_to_table(a.attoptions) o) || ')'),
  ('foreign options', nullif(array(select o from unnest(a.attfdwoptions) o order by o)::text, '{}'), null, null)
) as x(aspect, value, put, take)
where r.relkind in ('r', 'p', 'f', 'c') and x.value is not null

-- Columns of views come and go with them; these are said with the view.
union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, r.kind, r.name, null, null, x.aspect || quote_ident(a.attname), x.value, x.put, x.take
from relations r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
cross join lateral (select format('alter %s %s alter column %I', r.kind, r.name, a.attname) as alter) as say
cross join lateral (values
  ('default of ', pg_get_expr(d.adbin, d.adrelid),
    alter || ' set default ' || pg_get_expr(d.adbin, d.adrelid), alter || ' drop default'),
  ('comment on column ', col_description(r.oid, a.attnum),
    format('comment on column %s.%I is %L', r.name, a.attname, col_description(r.oid, a.attnum)),
    format('comment on column %s.%I is null', r.name, a.attname)),
  ('statistics target of ', case r.relkind when 'm' then nullif(a.attstattarget, -1)::text end,
    format('%s set statistics %s', alter, a.attstattarget), alter || ' set statistics -1'),
  ('storage of ', case when r.relkind = 'm' and a.attstorage <> t.typstorage then a.attstorage::text end,
    alter || ' set storage ' || case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end,
    alter || ' set storage ' || case t.typstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end)
) as x(aspect, value, put, take)
where r.relkind in ('v', 'm') and x.value is not null

union all
select 'pg_catalog.pg_constraint'::regclass, k.oid, 0, 'constraint', quote_ident(k.conname) || ' on ' || o.name, null,
  o.owner, 'definition', pg_get_constraintdef(k.oid), null, null
from pg_catalog.pg_constraint k
join (
  select r.oid as relation, 0 as type, r.name, r.kind || ' ' || r.name as owner from relations r
  union all
  select 0, t.oid, 'domain ' || t.name, 'domain ' || t.name from types t
) o on o.relation = k.conrelid and o.type = k.contypid
where k.contype in ('c', 'f', 'p', 'u', 'x')

union all
select 'pg_catalog.pg_class'::regclass, i.indexrelid, 0, 'index', i.indexrelid::regclass::text, null,
  case when k.oid is null then r.kind || ' ' || r.name else 'constraint ' || quote_ident(k.conname) || ' on ' || r.name end,
  x.aspect, x.value, x.put, x.take
from pg_catalog.pg_index i
join relations r on r.oid = i.indrelid
join pg_catalog.pg_class c on c.oid = i.indexrelid
left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
cross join lateral (
  -- Options are said by themselves.
  select 'definition' as aspect, case when k.oid is null then regexp_replace(pg_get_indexdef(i.indexrelid), ' WITH \([^()]*\)', '') else '' end as value,
    null as put, null as take
  union all
  select 'not valid', '', null, null where not i.indisvalid
  union all
  select 'option ' || o.option_name, o.option_value,
    format('alter index %s set (%s = %L)', i.indexrelid::regclass, o.option_name, o.option_value),
    format('alter index %s reset (%s)', i.indexrelid::regclass, o.option_name)
  from pg_catalog.pg_options_to_table(c.reloptions) o
  union all
  select 'statistics target of column ' || a.attnum, a.attstattarget::text,
    format('alter index %s alter column %s set statistics %s', i.indexrelid::regclass, a.attnum, a.attstattarget),
    format('alter index %s alter column %s set statistics -1', i.indexrelid::regclass, a.attnum)
  from pg_catalog.pg_attribute a where a.attrelid = i.indexrelid and a.attstattarget <> -1
) x

union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, 'sequence', r.name, null, null, x.aspect, x.value, x.put, x.take
from relations r
join pg_catalog.pg_sequence s on s.seqrelid = r.oid
cross join lateral (values
  ('definition', concat_ws(' ', format_type(s.seqtypid, null), 'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax,
    case when s.seqcycle then 'cycle' end), null, null),
  ('cache', nullif(s.seqcache, 1)::text, format('alter sequence %s cache %s', r.name, s.seqcache), format('alter sequence %s cache 1', r.name)),
  ('unlogged', case r.relpersistence when 'u' then '' end,
    format('alter sequence %s set unlogged', r.name), format('alter sequence %s set logged', r.name)),
  ('owned by column', (select format('%s.%I', d.refobjid::regclass, a.attname)
    from pg_catalog.pg_depend d
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = r.oid and d.deptype in ('a', 'i')), null, null)
) as x(aspect, value, put, take)
where x.value is not null

union all
select 'pg_catalog.pg_class'::regclass, r.oid, 0, r.kind, r.name, null, null, x.aspect, x.value, x.put, x.take
from relations r
cross join lateral (values
  ('definition', pg_get_viewdef(r.oid), null, null),
  ('not populated', case when r.relkind = 'm' and not r.relispopulated then '' end,
    format('refresh materialized view %s with no data', r.name), format('refresh materialized view %s', r.name)),
  ('access method', (select quote_ident(m.amname) from pg_catalog.pg_am m where m.oid = r.relam and m.amname <> 'heap'), null, null),
  ('clustered on',
    (select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = r.oid and i.indisclustered),
    (select format('alter materialized view %s cluster on %I', r.name, c.relname) from pg_catalog.pg_index i
     join pg_catalog.pg_class c on c.oid = i.indexrelid where i.indrelid = r.oid and i.indisclustered),
    format('alter materialized view %s set without cluster', r.name))
) as x(aspect, value, put, take)
where r.relkind in ('v', 'm') and x.value is not null

union all
select 'pg_catalog.pg_type'::regclass, r.reltype, 0, 'composite type', r.name, 'type', null, 'definition', '', null, null
from relations r where r.relkind = 'c'

union all
select 'pg_catalog.pg_rewrite'::regclass, w.oid, 0, 'rule', format('%I on %s', w.rulename, r.name), null, r.kind || ' ' || r.name,
  x.aspect, x.value, null, null
from pg_catalog.pg_rewrite w
join relations r on r.oid = w.ev_class
cross join lateral (values
  ('definition', pg_get_ruledef(w.oid)),
  ('state', case w.ev_enabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
) as x(aspect, value)
where w.rulename <> '_RETURN' and x.value is not null

union all
select 'pg_catalog.pg_trigger'::regclass, t.oid, 0, 'trigger', format('%I on %s', t.tgname, r.name), null,
  coalesce(
    (select format('trigger %I on %s', p.tgname, p.tgrelid::regclass) from pg_catalog.pg_trigger p where p.oid = t.tgparentid),
    case r.relkind when 'v' then 'view ' when 'f' then 'foreign table ' else 'table ' end || r.name),
  x.aspect, x.value, x.put, x.take
from pg_catalog.pg_trigger t
join lent r on r.oid = t.tgrelid
cross join lateral (values
  ('definition', case when t.tgparentid = 0 then pg_get_triggerdef(t.oid) else '' end, null, null),
  ('state',
    case when t.tgenabled <> coalesce((select p.tgenabled from pg_catalog.pg_trigger p where p.oid = t.tgparentid), 'O')
      then case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' else 'enabled' end end,
    format('alter table %s %s trigger %I', r.name,
      case t.tgenabled when 'D' then 'disable' when 'R' then 'enable replica' when 'A' then 'enable always' else 'enable' end, t.tgname),
    format('alter table %s enable trigger %I', r.name, t.tgname))
) as x(aspect, value, put, take)
where not t.tgisinternal and x.value is not null
  -- Of those on tables of the platform, what calls functions of the project.
  and (exists (select from functions f where f.oid = t.tgfoid) or exists (select from relations o where o.oid = r.oid))
  and t.tgfoid not in (
    select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('imago', 'imago_undo'))

union all
select 'pg_catalog.pg_policy'::regclass, p.oid, 0, 'policy', format('%I on %s', p.polname, r.name), null, 'table ' || r.name,
  'definition', concat_ws(' ',
    'as', case when p.polpermissive then 'permissive' else 'restrictive' end,
    'for', case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else 'delete' end,
    'to', (select string_agg(coalesce(quote_ident(o.rolname), 'public'), ', ' order by o.rolname)
           from unnest(p.polroles) u left join pg_catalog.pg_roles o on o.oid = u),
    'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
    'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), null, null
from pg_catalog.pg_policy p
join lent r on r.oid = p.polrelid

union all
select 'pg_catalog.pg_statistic_ext'::regclass, e.oid, 0, 'statistics', format('%I.%I', s.nspname, e.stxname), null, null,
  x.aspect, x.value, x.put, x.take
from pg_catalog.pg_statistic_ext e
join schemas s on s.oid = e.stxnamespace
cross join lateral (values
  ('definition', pg_get_statisticsobjdef(e.oid), pg_get_statisticsobjdef(e.oid), format('drop statistics %I.%I', s.nspname, e.stxname)),
  ('target', nullif(e.stxstattarget, -1)::text, format('alter statistics %I.%I set statistics %s', s.nspname, e.stxname, e.stxstattarget),
    format('alter statistics %I.%I set statistics -1', s.nspname, e.stxname))
) as x(aspect, value, put, take)
where x.value is not null
