create or replace function imago.named_words(routine oid)
returns setof text
language sql
stable
set search_path = ''
as $$
  select distinct lower(coalesce(m[1], m[2]))
  from imago.reached_functions(routine) r
  cross join lateral regexp_matches(r.source, '"([^"]+)"|([[:alpha:]_][\w$]*)', 'g') m
$$;
comment on function imago.named_words(oid) is 'What may be a name in a function and those that it calls, in lower case: words, and whatever stands in quotes.';
