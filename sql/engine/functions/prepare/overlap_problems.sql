create or replace function imago.overlap_problems(plan imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  with others as (
    -- Plans that write, or may go back: prepared, and not closed by finalize.
    select o.* from imago.plan o
    where o.name <> overlap_problems.plan.name and o.closed_at is null
      and (o.prepared_at is not null or exists (select from imago.plan_write w where w.plan = o.name and w.captured_at is not null))
  ), pairs as (
    select own.relation, own.columns, own.inserts, own.deletes, other.plan as other_plan, other.columns as other_columns, other.inserts as other_inserts,
      other.deletes as other_deletes
    from imago.plan_write own
    join imago.plan_write other on pg_catalog.to_regclass(other.relation) = pg_catalog.to_regclass(own.relation)
    join others o on o.name = other.plan
    where own.plan = overlap_problems.plan.name
  ), walked as (
    select s.source as relation, overlap_problems.plan.name as walks, o.name as drops
    from imago.plan_stages(overlap_problems.plan) s cross join others o
    union all
    select s.source, o.name, overlap_problems.plan.name
    from others o cross join lateral imago.plan_stages(o) s
  )
  select 'warning', 'overlap', format('%s.%I', p.relation, c),
    format('is written by plan %s, too: the plan that goes back first takes what the other wrote for a later change', p.other_plan),
    format('Let plan %s end first (finalize_migration), or take the two back in the opposite order.', p.other_plan)
  from pairs p cross join unnest(p.columns) c where c = any (p.other_columns)
  union all
  select 'warning', 'overlap', p.relation,
    case when p.inserts and p.other_inserts then format('gets rows from plan %s, too: each takes back its own, and may refuse to where the other has changed or refers to them', p.other_plan)
      when p.inserts then format('is updated by plan %s: rows that this plan inserts and that one updates count as edited when they go back', p.other_plan)
      else format('gets rows from plan %s: those that this plan updates count as edited when they go back', p.other_plan) end,
    format('Let plan %s end first (finalize_migration), or take the two back in the opposite order.', p.other_plan)
  from pairs p where p.inserts and (p.other_inserts or p.other_columns <> '{}') or p.other_inserts
  union all
  select 'warning', 'overlap', p.relation,
    case when p.deletes then format('is written by plan %s, too: what that one wrote in rows which this plan deletes cannot go back before they are back', p.other_plan)
      else format('loses rows to plan %s: what this plan wrote in them cannot go back before they are back', p.other_plan) end,
    format('Let plan %s end first (finalize_migration), or take the two back in the opposite order.', p.other_plan)
  from pairs p where p.deletes or p.other_deletes
  union all
  -- What a step drops only its text tells.
  select distinct 'warning', 'overlap', w.relation,
    format('is walked by plan %s, and plan %s drops something there when it is finalized (step "%s")', w.walks, w.drops, s.name),
    format('Let plan %s end before plan %s is finalized.', w.walks, w.drops)
  from walked w
  join imago.plan_step s on s.plan = w.drops and s.phase = 'finalize'
  join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
  cross join lateral (
    select coalesce(s.statement, '') || coalesce((
      select string_agg(r.prosrc, ' ') from pg_catalog.pg_proc r
      where r.pronamespace = pg_catalog.to_regnamespace(quote_ident(s.plan)) and r.proname = s.routine), '') as text) does
  where does.text ~* '\mdrop\s+(table|column|view)\M' and position(c.relname in does.text) > 0
$$;
comment on function imago.overlap_problems(imago.plan) is 'Where another plan that is on writes the same column or table, or drops what is walked. The plan that prepares second is told.';
