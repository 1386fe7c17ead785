-- The database itself, without its name: what puts and takes reads that when it runs. What the platform says of it is left out:
-- its comment, its owner and what that one may do, rights of the platform's roles, the two settings of its tokens.
select 'pg_catalog.pg_database'::regclass as classid, d.oid as objid, 0 as part, 'database' as kind, 'itself' as name,
  null as called, null as owner, x.aspect, x.value, s.put, s.take
from pg_catalog.pg_database d
join pg_catalog.pg_roles o on o.oid = d.datdba
-- Stands for the name in what is written here.
cross join lateral (select chr(1) as self) n
cross join lateral (
  select 'definition' as aspect, '' as value, null as put, null as take
  union all
  select 'comment', c.description, format('comment on database %s is %L', self, c.description),
    format('comment on database %s is null', self)
  from pg_catalog.pg_shdescription c
  where c.classoid = 'pg_catalog.pg_database'::regclass and c.objoid = d.oid
    and c.description <> 'default administrative connection database'
  union all
  select 'security label of ' || quote_ident(l.provider), l.label,
    format('security label for %I on database %s is %L', l.provider, self, l.label),
    format('security label for %I on database %s is null', l.provider, self)
  from pg_catalog.pg_shseclabel l where l.classoid = 'pg_catalog.pg_database'::regclass and l.objoid = d.oid
  union all
  select 'connection limit', d.datconnlimit::text, format('alter database %s connection limit %s', self, d.datconnlimit),
    format('alter database %s connection limit -1', self)
  where d.datconnlimit <> -1
  union all
  select 'template', '', format('alter database %s is_template true', self), format('alter database %s is_template false', self)
  where d.datistemplate
  union all
  select 'owned by', quote_ident(o.rolname), format('alter database %s owner to %I', self, o.rolname),
    format('alter database %s owner to %I', self, current_user)
  from roles r where r.oid = d.datdba and o.rolname <> current_user
  union all
  select concat(p.aspect, ' of role ' || p.role), p.value, format('alter %s set %I to %s', p.what, p.setting, p.written),
    format('alter %s reset %I', p.what, p.setting)
  from (
    select 'setting ' || g.setting as aspect, g.setting, g.value, quote_ident(r.rolname) as role,
      case when v.setrole = 0 then 'database ' || self else format('role %I in database %s', r.rolname, self) end as what,
      -- These are lists of names, and everything else is a text.
      case when g.setting ~ '^(search_path|temp_tablespaces|unix_socket_directories|.*_preload_libraries)$'
        then regexp_replace(g.value, '(^|, )""(?=,|$)', '\1''''', 'g') else quote_literal(g.value) end as written
    from pg_catalog.pg_db_role_setting v
    cross join lateral unnest(v.setconfig) as c(line)
    cross join lateral (select split_part(c.line, '=', 1) as setting, substr(c.line, strpos(c.line, '=') + 1) as value) g
    left join pg_catalog.pg_roles r on r.oid = v.setrole
    where v.setdatabase = d.oid and not (v.setrole = 0 and g.setting in ('app.settings.jwt_secret', 'app.settings.jwt_exp'))
      and (v.setrole = 0 or r.rolname = current_user
        or not r.rolsuper and r.rolname !~ '^(supabase_|pg_|dashboard_user$|pgbouncer$)')
  ) p
  union all
  select 'grants to ' || g.grantee, string_agg(g.right, ', ' order by g.right),
    format('revoke all on database %s from %s; ', self, g.grantee)
      || string_agg(format('grant %s on database %s to %s%s', g.privilege, self, g.grantee, g.option), '; ' order by g.right),
    format('revoke all on database %s from %s', self, g.grantee)
  from (
    select distinct coalesce(quote_ident(r.rolname), 'public') as grantee, lower(e.privilege_type) as privilege,
      case when e.is_grantable then ' with grant option' else '' end as option,
      lower(e.privilege_type) || case when e.is_grantable then ' with grant option' else '' end as right
    from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) e
    left join pg_catalog.pg_roles r on r.oid = e.grantee
    where e.grantee = 0 or e.grantee <> d.datdba and r.rolname <> current_user and not r.rolsuper
      and r.rolname !~ '^(supabase_|pg_|dashboard_user$|pgbouncer$)'
  ) g
  group by g.grantee
  union all
  select 'revoked from its owner', string_agg(lower(u.privilege_type), ', ' order by u.privilege_type),
    format('grant all on database %1$s to %2$I; revoke %3$s on database %1$s from %2$I', self, o.rolname,
      string_agg(lower(u.privilege_type), ', ' order by u.privilege_type)),
    format('grant all on database %s to %I', self, o.rolname)
  from aclexplode(acldefault('d', d.datdba)) u
  where d.datacl is not null and u.grantee = d.datdba and d.datdba in (select oid from roles)
    and not exists (select from aclexplode(d.datacl) e where e.grantee = d.datdba and e.privilege_type = u.privilege_type)
  having count(*) > 0
) x
cross join lateral (
  select max(w.statement) filter (where w.puts) as put, max(w.statement) filter (where not w.puts) as take
  from (values (true, x.put), (false, x.take)) as v(puts, statement)
  cross join lateral (select replace(replace(v.statement, '%', '%%'), self, '%1$I') as template) t
  cross join lateral (select format(' begin execute format(%L, current_database()); end ', t.template) as body) b
  cross join lateral (
    select v.puts,
      'do ' || case when b.body like '%$$%' then quote_literal(b.body) else concat('$$', b.body, '$$') end as statement) w
  where v.statement is not null
) s
where d.datname = current_database()
