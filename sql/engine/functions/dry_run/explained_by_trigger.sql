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
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_class c on c.relkind in ('r', 'p') and p.prosrc ~* ('\m' || regexp_replace(c.relname, '\W', '.', 'g') || '\M')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname !~ '^(pg_|information_schema|imago)'
  )
  select exists (
    select from reached r
    join pg_catalog.pg_trigger t on t.tgrelid = r.oid and not imago.is_ours(t.tgfoid)
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where (t.tgisinternal and column_name is null
           and exists (select from pg_catalog.pg_constraint c where c.oid = t.tgconstraint and c.conrelid = relation::pg_catalog.regclass
                       and (c.confupdtype in ('c', 'n', 'd') or c.confdeltype in ('c', 'n', 'd'))))
       or (not t.tgisinternal and (
             p.prosrc ~* ('\m' || regexp_replace((select c.relname from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass), '\W', '.', 'g') || '\M')
               and column_name is null
             or column_name is not null and r.oid in (select t from imago.written_tables(relation) t)
               and p.prosrc ~* ('\m' || regexp_replace(column_name, '\W', '.', 'g') || '\M')
             or p.prolang not in (select l.oid from pg_catalog.pg_language l where l.lanname in ('plpgsql', 'sql')))))
$$;
comment on function imago.explained_by_trigger(text, text, text) is 'Whether a trigger of the app names this table (or column), or cannot be read. Triggers are those reached from the tables that the plan writes.';
