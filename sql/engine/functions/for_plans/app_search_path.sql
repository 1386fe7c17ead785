create or replace function imago.app_search_path()
returns text
language plpgsql
stable
set search_path = ''
-- PL/pgSQL in small steps, since each sub-batch asks several times.
as $$
declare
  path text := (select nullif(s.value, '') from imago.setting s where s.name = 'app_search_path');
begin
  if path is null then
    select substr(c.entry, length('search_path=') + 1) into path
    from pg_catalog.pg_db_role_setting d
    cross join unnest(d.setconfig) c(entry)
    left join pg_catalog.pg_roles r on r.oid = d.setrole
    cross join lateral (
      select case
        when d.setrole = 0 then 3 when r.rolname = 'authenticator' then 1 when r.rolname = 'authenticated' then 2
        when r.rolname = 'service_role' then 4 when r.rolname = current_user then 5 end) k(rank)
    where c.entry like 'search\_path=%' and k.rank is not null
      and (d.setdatabase = 0 or d.setdatabase = (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
    order by k.rank, d.setdatabase = 0
    limit 1;
  end if;
  path := coalesce(path, array_to_string(array['"$user"', 'public', 'extensions'], ', '));
  -- Temporary tables come last: one that is named like a table of the app would otherwise be read and written in its place.
  return path || case when path ~ '\mpg_temp\M' then '' else ', pg_temp' end;
end
$$;
comment on function imago.app_search_path() is 'For plans: the search_path under which the app''s code runs while tables of the app are written. It is the setting app_search_path, else that of the role authenticator or authenticated, of the database, of service_role or of this role, else Supabase''s default. A function with set search_path = '''' that writes tables of the app begins with the example, so that triggers of the app find their names.

Example: perform set_config(''search_path'', imago.app_search_path(), true)';
