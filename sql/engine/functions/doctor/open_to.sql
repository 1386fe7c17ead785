create or replace function imago.open_to(acl aclitem[])
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(distinct role order by role), '{}')
  from (
    select case when a.grantee = 0 then 'public' else a.grantee::pg_catalog.regrole::text end as role from aclexplode(acl) a
  ) granted
  where role in ('public', 'anon', 'authenticated')
$$;
comment on function imago.open_to(aclitem[]) is 'Who of everybody (public, anon, authenticated) a privilege was granted to.';
