create or replace function imago.size_after_timeout(size integer)
returns integer
language sql
immutable
set search_path = ''
as $$
  select greatest(1, size / 4)
$$;
comment on function imago.size_after_timeout(integer) is 'Rows or entities of the next try of what ran into the statement timeout: a quarter, at least one.';
