create or replace function imago.name_now(plan text, relation text, name text default null)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    (select case when name_now.name is null then quote_ident(s.nspname) || '.' || quote_ident(c.relname) else a.attname end
     from imago.declared d
     join pg_catalog.pg_class c on c.oid = d.relation_id
     join pg_catalog.pg_namespace s on s.oid = c.relnamespace
     left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.number and d.number > 0 and not a.attisdropped
     where d.plan = name_now.plan and d.relation = name_now.relation and d.name = coalesce(name_now.name, '')
       and d.noted_in = 'imago.declared'::pg_catalog.regclass),
    name_now.name, name_now.relation)
$$;
comment on function imago.name_now(text, text, text) is 'What a table of a plan (name null), or a column of it, is called now. Between a rename by the app and the next call it is called otherwise than declared.';
