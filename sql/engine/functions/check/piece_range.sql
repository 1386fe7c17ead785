create or replace function imago.piece_range(plan_check imago.plan_check, cursor_key text, last_key text)
returns text
language sql
stable
set search_path = ''
as $$
  select imago.walk_range(imago.key_parts(k.type, 'f.key'), k.type, cursor_key, last_key, cardinality(imago.key_names(k.key_column)) > 1)
  from imago.key_of_check(plan_check) k
$$;
comment on function imago.piece_range(imago.plan_check, text, text) is 'SQL condition: f.key lies in the piece after $1 up to $2.';
