create or replace function imago.grantees(relation text)
returns table (role text, bypasses boolean, reads_all boolean, writes text[])
language sql
stable
set search_path = ''
as $$
  with granted as (
    select c.relowner, a.grantee from pg_catalog.pg_class c cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = pg_catalog.to_regclass(relation)
    union
    select c.relowner, a.grantee
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute t on t.attrelid = c.oid and not t.attisdropped
    cross join lateral pg_catalog.aclexplode(t.attacl) a
    where c.oid = pg_catalog.to_regclass(relation)
  )
  select coalesce(quote_ident(r.rolname), 'public'), coalesce(r.rolbypassrls or r.rolsuper, false),
    pg_catalog.has_table_privilege(coalesce(r.rolname, 'public'), pg_catalog.to_regclass(relation), 'select'),
    array(select w from unnest(array['insert', 'update', 'delete']) w
          where pg_catalog.has_table_privilege(coalesce(r.rolname, 'public'), pg_catalog.to_regclass(relation), w))
  from granted g
  left join pg_catalog.pg_roles r on r.oid = g.grantee
  where g.grantee <> g.relowner
  order by 1
$$;
comment on function imago.grantees(text) is 'Who has been granted something on a table or its columns, but for its owner. Of each: whether they bypass row security, read all columns, and what they may write.';
