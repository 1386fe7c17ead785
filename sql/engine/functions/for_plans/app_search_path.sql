create or replace function imago.app_search_path()
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Temporary tables come last: whoever makes one named like a table of the app would otherwise be read and written in its place.
  -- PL/pgSQL, since each sub-batch asks several times: its plan is kept.
  return (
    select found.path || case when found.path ~ '\mpg_temp\M' then '' else ', pg_temp' end
    from (
      select coalesce(
        (select nullif(s.value, '') from imago.setting s where s.name = 'app_search_path'),
        (select substr(c.entry, length('search_path=') + 1)
         from pg_catalog.pg_db_role_setting d
         cross join unnest(d.setconfig) c(entry)
         left join pg_catalog.pg_roles r on r.oid = d.setrole
         where c.entry like 'search\_path=%'
           and d.setdatabase in (0, (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
           and (d.setrole = 0 or r.rolname in ('authenticator', 'authenticated', 'service_role', current_user))
         order by
           case r.rolname when 'authenticator' then 1 when 'authenticated' then 2 when 'service_role' then 4 else case d.setrole when 0 then 3 else 5 end end,
           d.setdatabase = 0
         limit 1),
        array_to_string(array['"$user"', 'public', 'extensions'], ', ')) as path
    ) found);
end
$$;
comment on function imago.app_search_path() is 'For plans: the search_path under which the app''s code runs while tables of the app are written. It is the setting app_search_path, else that of the role authenticator or authenticated, of the database, of service_role or of this role, else Supabase''s default. A function with set search_path = '''' that writes tables of the app begins with the example, so that triggers of the app find their names.

Example: perform set_config(''search_path'', imago.app_search_path(), true)';
