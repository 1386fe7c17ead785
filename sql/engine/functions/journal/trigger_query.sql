create or replace function imago.trigger_query(template text, variables text[], ending text, variadic parts text[])
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  kept text := format(template, variadic variables || parts);
  own text := format(template, variadic (array['$1', '$2'])[:cardinality(variables)] || parts);
begin
  -- A plan that is kept was made for the number of rows of its first call: a join of old and new rows that was planned for few
  -- compares each with each. So what writes many rows is planned again each time; for few that takes longer than the work.
  return format(E'if imago_rows <= 100 then\n%s\nelse execute %L%s%s; end if;\n',
    case ending when 'rows' then format(E'for imago_row in %s\n loop end loop;', kept) else format(E'%s\n%s;', kept, ending) end,
    own, case ending when 'rows' then '' else ' ' || ending end,
    case when variables = '{}' then '' else ' using ' || array_to_string(variables, ', ') end);
end
$$;
comment on function imago.trigger_query(text, text[], text, text[]) is 'PL/pgSQL of a trigger: runs a query over its rows, with a plan that is kept if they are few, else with one of its own. In the template come the variables first (at most two), then the parts. It ends with an into clause, nothing, or, with rows, answers rows that nobody reads.';
