create or replace function imago.piece_range(plan_check imago.plan_check, cursor_key text, last_key text)
returns text
language sql
stable
set search_path = ''
as $$
  select imago.walk_range('f.key', k.type, cursor_key, last_key)
  from imago.walked_key(plan_check.source, plan_check.key_column) k
$$;
comment on function imago.piece_range(imago.plan_check, text, text) is 'SQL condition: f.key lies in the piece after $1 up to $2.';
