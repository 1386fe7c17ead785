create or replace function profile_gigs.users_of_columns()
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(distinct pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ')
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
  left join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
  left join pg_catalog.pg_class c on c.oid = r.ev_class
  where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = pg_catalog.to_regclass('public."User"')
    and a.attname in ('skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
    -- Indexes and the like go with their column; our own views are dropped before it.
    and d.deptype = 'n' and c.relnamespace is distinct from 'profile_gigs'::pg_catalog.regnamespace
$$;
comment on function profile_gigs.users_of_columns() is 'Views, policies and other objects of the app that need the columns of "User" that finalize drops. Null when there are none.';
