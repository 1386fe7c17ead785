create or replace function imago.rule_problems(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select distinct 'error', 'rule', format('rule %I on %s', r.rulename, w.relation),
    'is done instead of, or beside, what the plan and its way back write, and PostgreSQL refuses some of that',
    format('drop rule %I on %s; or alter table %s disable rule %I; a trigger can do the same.', r.rulename, w.relation, w.relation, r.rulename)
  from imago.plan_write w
  join pg_catalog.pg_rewrite r on r.ev_class = pg_catalog.to_regclass(w.relation) and r.ev_enabled in ('O', 'A')
    -- Rows that are inserted are removed in a rollback, deleted ones inserted; updates are updates both ways.
    and ((w.inserts or w.deletes) and r.ev_type in ('3', '4') or w.columns <> '{}' and r.ev_type = '2')
  where w.plan = rule_problems.plan.name
$$;
comment on function imago.rule_problems(imago.plan) is 'Rules of the app on tables that the plan writes. Statements with RETURNING, or in WITH, fail there, and no trigger sees what a rule does.';
