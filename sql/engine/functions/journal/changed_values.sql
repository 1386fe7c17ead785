create or replace function imago.changed_values(moves jsonb, place integer, out was text[], out becomes text[])
language sql
immutable
set search_path = ''
as $$
  select coalesce(array_agg(c.was), '{}'), coalesce(array_agg(c.becomes), '{}')
  from (
    select distinct m -> 0 ->> (place - 1) as was, m -> 1 ->> (place - 1) as becomes
    from jsonb_array_elements(moves) m
  ) c
  where c.was <> c.becomes
$$;
comment on function imago.changed_values(jsonb, integer, out text[], out text[]) is 'Of rows whose identity has changed: the values of one column that did, before and after.';
