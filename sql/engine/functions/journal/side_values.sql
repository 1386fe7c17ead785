create or replace function imago.side_values(write imago.plan_write, template text, separator text default ', ')
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select string_agg(format(template, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), c.n, imago.quoted_name(a.attname)), separator order by c.n)
    from unnest(imago.side_columns(write)) with ordinality c(name, n)
    join pg_catalog.pg_attribute a on a.attrelid = write.relation::pg_catalog.regclass and a.attname = c.name);
end
$$;
comment on function imago.side_values(imago.plan_write, text, text) is 'Writes a template once for each column that the plan does not declare. %1 name, %2 type, %3 position, %4 the name as PL/pgSQL reads it.';
