create or replace function imago.shown_rows(relation text, role text)
returns text[]
language sql
stable
set search_path = ''
as $$
  -- The condition true is known by its tree: to have it written out would wait for the table.
  select case
    when not c.relrowsecurity or coalesce(r.rolbypassrls or r.rolsuper, false) then null
    when coalesce(bool_or(p.polpermissive and p.polqual::text ~ '^\{CONST :consttype 16 .*:constvalue 1 \[ 1 '), false)
      and coalesce(bool_and(p.polpermissive), true) then null
    when not coalesce(bool_or(p.polpermissive), false) then '{}'
    else array_agg(p.polname::text order by p.polname) end
  from pg_catalog.pg_class c
  left join pg_catalog.pg_roles r on r.rolname = (parse_ident(role))[1]
  left join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd in ('r', '*')
    and exists (
      select from unnest(p.polroles) o(id)
      where o.id = 0 or r.oid is not null and pg_catalog.pg_has_role(r.oid, o.id, 'usage'))
  where c.oid = pg_catalog.to_regclass(relation)
  group by c.relrowsecurity, r.rolbypassrls, r.rolsuper
$$;
comment on function imago.shown_rows(text, text) is 'Which rows of a table a role may read. Null: all of them; {}: none; otherwise the names of the policies that decide.';
