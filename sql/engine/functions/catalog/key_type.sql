create or replace function imago.key_type(relation text, key_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select case when c.kept like 'character varying%' then 'text' else c.kept end
  from imago.journal_columns(relation, array[key_column]) c
$$;
comment on function imago.key_type(text, text) is 'The type by which the rows of a table are keyed.';
