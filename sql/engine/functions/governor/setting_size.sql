create or replace function imago.setting_size(name text)
returns numeric
language sql
stable
set search_path = ''
as $$
  select nullif(s.value, '')::numeric from imago.setting s where s.name = setting_size.name
$$;
comment on function imago.setting_size(text) is 'A setting that may be left empty, as a number; null where it is.';
