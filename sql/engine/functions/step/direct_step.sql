create or replace function imago.direct_step(plan_name text, phase text)
returns table (name text, statement text, relation text, invalid_index text, building boolean)
language sql
stable
set search_path = ''
as $$
  select s.name, s.statement, c.relation::text, (
      -- An interrupted concurrent build leaves it, and "if not exists" would take it for done.
      select i.indexrelid::regclass::text
      from pg_catalog.pg_index i
      join pg_catalog.pg_class x on x.oid = i.indexrelid
      where i.indrelid = c.relation and x.relname = (parse_ident(c.parts[1]))[1] and not i.indisvalid),
    exists (
      select from pg_catalog.pg_stat_progress_create_index p where p.relid = c.relation and p.datname = current_database())
  from imago.next_step(plan_name, phase) s
  cross join lateral (
    select m.parts, coalesce(pg_catalog.to_regclass(m.parts[2]), pg_catalog.to_regclass('public.' || m.parts[2])) as relation
    from regexp_match(s.statement,
      '^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|[\w$]+)\s+on\s+(?:only\s+)?((?:(?:"(?:[^"]|"")+"|[\w$]+)\.)?(?:"(?:[^"]|"")+"|[\w$]+))',
      'i') m(parts)
  ) c
  where s.direct
$$;
comment on function imago.direct_step(text, text) is 'The direct step that a phase has come to, if it is one, with its statement. Of an index that it builds concurrently: the table, the invalid index that an interrupted build has left, and whether somebody is building on that table now.';
