create or replace function imago.view_in(lines text[], plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select v.name
  from regexp_matches(array_to_string(lines, E'\n'), '(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")\.(?:pending|concerned)(?:_[0-9]+)?\M', 'g') m(found)
  cross join lateral (select m.found[1] as name) v
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(v.name)
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = view_in.plan
  limit 1
$$;
comment on function imago.view_in(text[], text) is 'The view of a plan that a statement in these lines of an error''s context reads. Only its name is answered, as the catalogue has it.';
