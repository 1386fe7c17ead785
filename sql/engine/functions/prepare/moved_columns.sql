create or replace function imago.moved_columns(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with written as (
    select w.relation, w.columns from imago.plan_write w where w.plan = moved_columns.plan.name and w.columns <> '{}'
    union all
    -- A plan may declare its writes only when it is prepared.
    select r::text, '{}' from imago.plan_relations(plan) r
    where not exists (select from imago.plan_write w where w.plan = moved_columns.plan.name)
  )
  select distinct 'notice', 'side_effect', format('%s.%I', pg_catalog.to_regclass(w.relation), a.attname),
    format('trigger %I changes it when the plan writes the row', t.tgname),
    'It is journaled beside, and goes back with the row unless somebody changes it meanwhile.'
  from written w
  cross join lateral imago.written_tables(w.relation) r
  join pg_catalog.pg_trigger t on t.tgrelid = r and t.tgparentid = 0 and not t.tgisinternal and t.tgenabled <> 'D'
    and t.tgtype & 19 = 19 and not imago.is_ours(t.tgfoid)
  join pg_catalog.pg_proc p on p.oid = t.tgfoid
  join pg_catalog.pg_attribute a on a.attrelid = t.tgrelid and a.attnum > 0 and not a.attisdropped
    and a.attname <> all (w.columns) and a.attname <> all (imago.touch_columns(w.relation, w.columns))
  where regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g')
    ~* ('\mnew\."?' || regexp_replace(a.attname, '\W', '\\\&', 'g') || '"?\s*:?=[^=]')
$$;
comment on function imago.moved_columns(imago.plan) is 'Columns that the plan does not declare and that triggers of the app set in rows which it writes, by their text.';
