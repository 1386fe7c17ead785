create or replace function imago.least_value(type text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case type
    when 'uuid' then '00000000-0000-0000-0000-000000000000'
    when 'smallint' then '-32768'
    when 'integer' then '-2147483648'
    when 'bigint' then '-9223372036854775808'
    when 'boolean' then 'false'
    else '' end
$$;
comment on function imago.least_value(text) is 'The least value of a type that a key may have.';
