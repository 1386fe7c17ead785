create or replace function imago.plan_at_stage(plan imago.plan, number integer)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan := plan;
begin
  if number = plan.stage then
    return plan;
  end if;
  select s.source_schema, s.source_table, s.source, s.key_column, s.key_type, s.entity_singular, s.entity_plural, s.external
    into staged.source_schema, staged.source_table, staged.source, staged.key_column, staged.key_type, staged.entity_singular, staged.entity_plural, staged.external
  from (
    select 1 as number, p.source_schema, p.source_table, p.source, p.key_column, p.key_type, p.entity_singular, p.entity_plural, p.external
    from imago.plan p where p.name = plan.name
    union all
    select t.number, t.source_schema, t.source_table, t.source, t.key_column, t.key_type, t.entity_singular, t.entity_plural, t.external
    from imago.plan_stage t where t.plan = plan.name
    union all
    -- Rows that several entities share are entities of their own when they go back.
    select w.stage, n.nspname, c.relname, r.source, w.key_columns[1], imago.key_type(r.source, w.key_columns[1]), null, null, false
    from imago.plan_write w
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(w.relation)
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select format('%I.%I', n.nspname, c.relname) as source) r
    where w.plan = plan.name and w.entity_column is null and w.key_columns is not null
  ) s
  where s.number = plan_at_stage.number;
  if not found then
    perform imago.raise_error('IM045', plan.name, number::text);
  end if;
  staged.stage := number;
  return staged;
end
$$;
comment on function imago.plan_at_stage(imago.plan, integer) is 'The plan as one of its stages sees it: with the table that the stage walks. What takes a plan works on a stage just the same.';
