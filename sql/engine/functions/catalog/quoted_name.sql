create or replace function imago.quoted_name(name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select '"' || replace(name, '"', '""') || '"'
$$;
comment on function imago.quoted_name(text) is 'A name in quotes, needed or not. PL/pgSQL has words of its own (by, loop, if) that SQL does not quote: it takes new.by for no column.';
