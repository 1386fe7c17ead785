create or replace function imago.error_frames(context text, plan text default null)
returns table (number bigint, routine oid, schema_name name, routine_name name, line integer, in_sql boolean, is_raise boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  name constant text := '(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")';
  called constant text := format('((?:%1$s\.)?%1$s)\([^()]*\)', name);
  -- The server may speak any language: what it never translates are the names of languages and of the statement RAISE.
  quotes constant text := '"«»„“”「」';
begin
  -- A function that lies in the path of who called it first is named without its schema.
  perform set_config('search_path', imago.app_search_path(), true);
  return query
    with lines as (
      select l.n, l.line, (regexp_match(l.line, called))[1] as quoted_name, false as in_sql
      from string_to_table(error_frames.context, E'\n') with ordinality l(line, n)
      where l.line ~ format('^(%s[^"]*|[^"(]*)PL/pgSQL', called)
      union all
      select l.n, l.line, quote_ident(btrim(l.parts[2], U&' \00a0')), true
      from (
        select l.n, l.line, regexp_match(l.line, format('^([^%1$s]*)[%1$s]([^%1$s]+)[%1$s]([^%1$s]*)$', quotes)) as parts
        from string_to_table(error_frames.context, E'\n') with ordinality l(line, n)
        where l.line !~ 'PL/pgSQL'
      ) l
      where l.parts[1] || l.parts[3] ~ 'SQL|PL/'
    ), frames as (
      select l.n, l.in_sql, parse_ident(l.quoted_name) as parts, replace(l.line, l.quoted_name, '') as rest
      from lines l
      where l.quoted_name is not null
    )
    select f.n, p.oid, p.nspname, p.proname, (regexp_match(f.rest, '\d+'))[1]::integer, f.in_sql, f.rest ~ 'RAISE'
    from frames f
    cross join lateral (
      select p.oid, n.nspname, p.proname
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
      where p.proname = f.parts[cardinality(f.parts)]
        and (cardinality(f.parts) = 1 or n.nspname = f.parts[1])
        and case when f.in_sql then l.lanname not in ('plpgsql', 'c', 'internal') else l.lanname = 'plpgsql' end
      order by n.nspname is not distinct from error_frames.plan desc, pg_catalog.pg_function_is_visible(p.oid) desc, p.oid
      limit 1
    ) p;
end
$$;
comment on function imago.error_frames(text, text) is 'The functions of an error''s context, innermost first, with the line (in_sql: the statement) that each was at. Only what the catalogue knows as a function is answered, and numbers: no text of the context, which may hold values. plan: of functions of one name, its own is meant.';
