create or replace function imago.added_by(plan_name text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('Added by Imago plan %s.', plan_name)
$$;
comment on function imago.added_by(text) is 'What the comment of a column or table holds that a prepare step added: clean-up knows it by that, and by that only.';
