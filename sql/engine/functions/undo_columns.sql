create or replace function imago.undo_columns(relation text, columns text[])
returns table (ordinal integer, name text, type text, kept text, comparable boolean, nullable boolean)
language sql
stable
set search_path = ''
as $$
  select
    c.ordinal::integer,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    imago.undo_type(a.atttypid, a.atttypmod),
    exists (
      select from pg_catalog.pg_operator o
      where o.oprname = '=' and o.oprcanhash
        and o.oprleft = imago.undo_type(a.atttypid, -1)::pg_catalog.regtype and o.oprright = o.oprleft)
    or imago.undo_type(a.atttypid, -1) ~ '\[\]$'
       and imago.undo_type(a.atttypid, -1) !~ '^(json|xml|point|line|box|polygon|path|lseg|circle)\[\]$',
    not a.attnotnull
  from unnest(columns) with ordinality c(name, ordinal)
  join pg_catalog.pg_attribute a
    on a.attrelid = relation::pg_catalog.regclass and a.attname = c.name and a.attnum > 0 and not a.attisdropped
  order by c.ordinal
$$;
comment on function imago.undo_columns(text, text[]) is 'The named columns in the given order: own type, type in the journal, and whether that type can be compared by its value (json and xml are compared as text).';
