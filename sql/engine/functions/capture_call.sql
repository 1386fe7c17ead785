create or replace function imago.capture_call(query text)
returns text
language sql
immutable
set search_path = ''
as $$
  -- A plan that is kept was made for the number of rows of its first call: a join of old and new rows that was planned for few
  -- compares each with each. So what writes many rows is planned anew each time; for few that takes longer than the work.
  select format(E'if imago_rows <= 100 then\n%s;\nelse execute %L using imago_batch, imago_kind; end if;\n',
    regexp_replace(regexp_replace(query, '(?<= )\$1(?=[ ,)])', 'imago_batch', 'g'), '(?<= )\$2(?=,)', 'imago_kind', 'g'), query)
$$;
comment on function imago.capture_call(text) is 'PL/pgSQL of a capture trigger: runs a query over its rows, $1 the batch and $2 the kind, with a plan that is kept if few rows were written, else with one of its own.';
