create or replace function imago.is_renamed(plan_name text)
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again each time that the app changes a key.
as $$
begin
  return exists (
    select from imago.declared d
    left join pg_catalog.pg_class c on c.oid = d.relation_id
    left join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    left join pg_catalog.pg_attribute a on a.attrelid = d.relation_id and a.attnum = d.number and d.number > 0
    where d.plan = plan_name and d.noted_in = 'imago.declared'::pg_catalog.regclass
      and (d.number > 0 and a.attname <> d.name or d.number = 0 and quote_ident(s.nspname) || '.' || quote_ident(c.relname) <> d.relation));
end
$$;
comment on function imago.is_renamed(text) is 'Whether a table or column of a plan was renamed since the last call that has followed that.';
