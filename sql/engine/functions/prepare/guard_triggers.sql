create or replace function imago.guard_triggers(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with written as (
    select pg_catalog.to_regclass(w.relation) as relation, w.inserts or w.deletes as inserts, w.columns
    from imago.plan_write w
    where w.plan = guard_triggers.plan.name
    union all
    -- A plan may declare its writes only when it is prepared.
    select r, true, null from imago.plan_relations(plan) r
    where not exists (select from imago.plan_write w where w.plan = guard_triggers.plan.name)
  )
  select distinct 'warning', 'guard_trigger', format('trigger %I on %s', t.tgname, t.tgrelid::pg_catalog.regclass),
    format('may refuse what the plan writes: %I.%I raises exceptions', n.nspname, p.proname),
    format('A dry run shows which entities it refuses. Imago writes as role %1$I: have it let %1$I pass (current_user).', current_user)
  from written w
  cross join lateral imago.written_tables(w.relation::text) r
  join pg_catalog.pg_trigger t on t.tgrelid = r and t.tgparentid = 0
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where not t.tgisinternal and t.tgenabled <> 'D' and not imago.is_ours(t.tgfoid)
    -- Inserts, and deletes in a rollback, or the other way round; updates of columns that it writes.
    and (w.inserts and t.tgtype & 12 > 0
      or t.tgtype & 16 > 0 and w.columns is distinct from '{}' and (w.columns is null or cardinality(t.tgattr::smallint[]) = 0 or exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr::smallint[]) and a.attname = any (w.columns))))
    and regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g') ~* '\m(raise(?!\s+(debug|log|info|notice|warning)\M)|assert)\M'
$$;
comment on function imago.guard_triggers(imago.plan) is 'Triggers of the app that raise exceptions and fire on what the plan writes or takes back: they may refuse single rows.';
