create or replace function imago.setting_number(name text)
returns integer
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select s.value::integer from imago.setting s where s.name = setting_number.name);
end
$$;
comment on function imago.setting_number(text) is 'For plans: a setting of imago.setting as a number.

Example: select imago.setting_number(''direct_mb'')';
