create or replace function imago.nobody(undo_table text)
returns text
language sql
stable
set search_path = ''
as $$
  select case imago.entity_type(undo_table)
    when 'uuid' then '00000000-0000-0000-0000-000000000000'
    when 'smallint' then '-32768'
    when 'integer' then '-2147483648'
    when 'bigint' then '-9223372036854775808'
    else '' end
$$;
comment on function imago.nobody(text) is 'The key under which an undo table has rows that belong to no entity: one that nobody has.';
