create or replace function imago.key_text(names text[])
returns text
language sql
immutable
set search_path = ''
as $$
  select case cardinality(names) when 1 then names[1] else names::text end
$$;
comment on function imago.key_text(text[]) is 'What key_names has read, written as it was.';
