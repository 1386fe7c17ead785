create or replace function imago.capture_call(template text, variadic parts text[])
returns text
language sql
immutable
set search_path = ''
as $$
  -- A plan that is kept was made for the number of rows of its first call: a join of old and new rows that was planned for few
  -- compares each with each. So what writes many rows is planned anew each time; for few that takes longer than the work.
  select format(E'if imago_rows <= 100 then\n%s;\nelse execute %L using imago_batch, imago_kind; end if;\n',
    format(template, variadic array['imago_batch', 'imago_kind'] || parts),
    format(template, variadic array['$1', '$2'] || parts))
$$;
comment on function imago.capture_call(text, text[]) is 'PL/pgSQL of a capture trigger: runs a query over its rows, with a plan that is kept if few rows were written, else with one of its own. In the template %1 is the batch, %2 the kind, and from %3 on come the parts.';
