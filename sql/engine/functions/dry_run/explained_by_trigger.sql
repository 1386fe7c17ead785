create or replace function imago.explained_by_trigger(plan_name text, relation text, column_name text default null)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Tables reachable by triggers: those that the plan writes, then those that functions of their triggers name.
  with recursive reached as (
    select t.oid::pg_catalog.regclass as oid from imago.plan_write w cross join lateral imago.written_tables(w.relation) t(oid) where w.plan = plan_name
    union
    select c.oid
    from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal and not imago.is_ours(t.tgfoid)
    cross join lateral imago.named_words(t.tgfoid) n(word)
    join pg_catalog.pg_class c on c.relkind in ('r', 'p') and lower(c.relname) = n.word
    join pg_catalog.pg_namespace s on s.oid = c.relnamespace and s.nspname !~ '^(pg_|information_schema|imago)'
  )
  select exists (
    select from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not imago.is_ours(t.tgfoid)
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where (t.tgisinternal and column_name is null
           and exists (select from pg_catalog.pg_constraint c where c.oid = t.tgconstraint and c.conrelid = relation::pg_catalog.regclass
                       and (c.confupdtype in ('c', 'n', 'd') or c.confdeltype in ('c', 'n', 'd'))))
       or (not t.tgisinternal and (
             column_name is null and exists (
               -- A partition is written under the name of its table.
               select from imago.named_words(p.oid) n(word)
               join pg_catalog.pg_class c on lower(c.relname) = n.word
               where c.oid in (relation::pg_catalog.regclass, pg_catalog.pg_partition_root(relation::pg_catalog.regclass)))
             or column_name is not null and r.oid in (select t from imago.written_tables(relation) t)
               and lower(column_name) in (select imago.named_words(p.oid))
             or p.prolang not in (select l.oid from pg_catalog.pg_language l where l.lanname in ('plpgsql', 'sql')))))
$$;
comment on function imago.explained_by_trigger(text, text, text) is 'Whether a trigger of the app names this table (or column), or cannot be read. Triggers are those reached from the tables that the plan writes.';
