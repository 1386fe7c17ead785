create or replace function imago.sqlstate_text(sqlstate text, raised_by text)
returns text
language sql
immutable
set search_path = ''
as $$
  select concat_ws(' in ', sqlstate_text.sqlstate, raised_by)
$$;
comment on function imago.sqlstate_text(text, text) is 'A SQLSTATE for messages, and who raised it where that is known.';
