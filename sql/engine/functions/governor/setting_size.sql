create or replace function imago.setting_size(name text)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select nullif(s.value, '')::numeric from imago.setting s where s.name = setting_size.name);
end
$$;
comment on function imago.setting_size(text) is 'A setting that may be left empty, as a number; null where it is.';
