create or replace function imago.declared_problems(plan imago.plan)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  -- What a step has yet to make cannot be looked for.
  has_steps boolean := exists (select from imago.plan_step s where s.plan = declared_problems.plan.name and s.phase = 'prepare');
begin
  return query
    select d.severity, d.kind, d.object, d.message, d.hint
    from (
      select w.position, p.* from imago.plan_write w cross join lateral imago.relation_problems(w.relation, not has_steps) p
      where w.plan = declared_problems.plan.name
      union all
      select 1000 + s.position, p.* from imago.plan_sync s cross join lateral imago.reading_problems(s.relation, not has_steps) p
      where s.plan = declared_problems.plan.name
    ) d
    order by d.position;
  return query
    select 'error', 'missing_column', format('%s.%I', w.relation, c), 'column is missing', 'The plan declares that it writes it.'
    from imago.plan_write w cross join unnest(w.columns || imago.key_names(w.entity_column)) c
    where w.plan = declared_problems.plan.name and not has_steps and c is not null and pg_catalog.to_regclass(w.relation) is not null
      and not exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = pg_catalog.to_regclass(w.relation) and a.attname = c and a.attnum > 0 and not a.attisdropped);
  return query
    select 'error', 'key_column', format('%s.%I', w.relation, c), 'is part of the primary key, and the plan declares that it sets it',
      'The journal knows rows by their primary key. Have the plan insert new rows instead, or set another column.'
    from imago.plan_write w cross join unnest(w.columns) c
    where w.plan = declared_problems.plan.name
      -- By name, and not to_regclass, which raises where the schema may not be used.
      and exists (
        select from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
        where i.indisprimary and a.attname = c and imago.name_of(i.indrelid) = w.relation);
  return query
    select 'error', 'cascade', c.object, case when c.deletes then 'deletes rows along with those that the plan deletes' else 'changes rows when the plan deletes those that they refer to' end,
      format('Declare %s in imago.plan_write, %s: what is not declared could not be brought back.', c.relation,
        case when c.deletes then 'with deletes where such rows may be left' else 'with the columns of this foreign key' end)
    from imago.undeclared_cascades(declared_problems.plan.name) c;
  return query
    select 'error', 'limitation', w.relation, 'is partitioned, and the plan inserts and deletes rows and sets a column that decides about the partition',
      'PostgreSQL counts a row that changes its partition as deleted and inserted. Set that column in a plan of its own.'
    from imago.plan_write w
    join pg_catalog.pg_partitioned_table t on t.partrelid = pg_catalog.to_regclass(w.relation)
    where w.plan = declared_problems.plan.name and w.inserts and w.deletes and exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = t.partrelid and a.attnum = any (t.partattrs::smallint[]) and a.attname = any (w.columns));
end
$$;
comment on function imago.declared_problems(imago.plan) is 'What keeps tables that a plan writes or follows from being migrated, as far as they are there before its steps.';
