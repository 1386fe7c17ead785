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
         cross join lateral (
           select case d.setrole
             when pg_catalog.to_regrole('authenticator') then 1 when pg_catalog.to_regrole('authenticated') then 2 when 0 then 3
             when pg_catalog.to_regrole('service_role') then 4 when pg_catalog.to_regrole(quote_ident(current_user)) then 5 end) r(rank)
         where c.entry like 'search\_path=%' and r.rank is not null
           and (d.setdatabase = 0 or d.setdatabase = (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()))
         order by r.rank, d.setdatabase = 0
         limit 1),
        array_to_string(array['"$user"', 'public', 'extensions'], ', ')) as path
    ) found);
end
$$;
comment on function imago.app_search_path() is 'For plans: the search_path under which the app''s code runs while tables of the app are written. It is the setting app_search_path, else that of the role authenticator or authenticated, of the database, of service_role or of this role, else Supabase''s default. A function with set search_path = '''' that writes tables of the app begins with the example, so that triggers of the app find their names.

Example: perform set_config(''search_path'', imago.app_search_path(), true)';
