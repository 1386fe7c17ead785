create or replace function imago.sync_call(query text, ending text)
returns text
language sql
immutable
set search_path = ''
as $$
  -- A plan that is kept was made for the number of rows of its first call: good for few, ruinous for many.
  select format(
    'if imago_rows <= 100 then %s else execute %L%s; end if;',
    case ending when 'rows' then format(E'for imago_row in %s\n loop end loop;', query) else format(E'%s\n%s;', query, ending) end,
    query, case ending when 'rows' then '' else ' ' || ending end)
$$;
comment on function imago.sync_call(text, text) is 'PL/pgSQL: runs a query with a plan that is kept, if few rows were written, else with one of its own. It ends with an into clause, nothing, or, with rows, answers rows that nobody reads.';
