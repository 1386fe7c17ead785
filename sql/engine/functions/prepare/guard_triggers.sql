create or replace function imago.guard_triggers(plan_name text)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select distinct 'warning', 'guard_trigger', format('trigger %I on %s', t.tgname, w.relation),
    format('may refuse what the plan writes: %I.%I raises exceptions', n.nspname, p.proname),
    format('A dry run shows whom it refuses. Imago writes as role %1$I: have it let %1$I pass (current_user).', current_user)
  from imago.plan_write w
  join pg_catalog.pg_trigger t on t.tgrelid = pg_catalog.to_regclass(w.relation)
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where w.plan = plan_name
    and not t.tgisinternal and t.tgenabled <> 'D' and not imago.is_ours(t.tgfoid)
    -- Inserts and, in a rollback, deletes of rows that it inserts; updates of columns that it writes.
    and (w.inserts and t.tgtype & 12 > 0
      or t.tgtype & 16 > 0 and w.columns <> '{}' and (cardinality(t.tgattr::smallint[]) = 0 or exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr::smallint[]) and a.attname = any (w.columns))))
    and regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g') ~* '\m(raise(?!\s+(debug|log|info|notice|warning)\M)|assert)\M'
$$;
comment on function imago.guard_triggers(text) is 'Triggers of the app that raise exceptions and fire on what the plan writes or takes back: they may refuse single rows.';
