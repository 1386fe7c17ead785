create or replace function imago.setting_number(name text)
returns integer
language sql
stable
set search_path = ''
as $$
  select s.value::integer from imago.setting s where s.name = setting_number.name
$$;
comment on function imago.setting_number(text) is 'For plans: a setting of imago.setting as a number.

Example: select imago.setting_number(''direct_mb'')';
