create or replace function imago.find_identity(plan_name text, relation text)
returns imago.identity
language plpgsql
stable
set search_path = ''
as $$
declare
  renamed boolean := imago.is_renamed(plan_name);
  result imago.identity;
begin
  result.writes := imago.writes_now(plan_name, renamed);
  -- Rows that several entities share are entities of their own.
  result.walks := array(
    select row(v.stage, v.key_column)::imago.identity_walk
    from (
      select 1 as stage, p.source, p.key_column from imago.plan p where p.name = plan_name
      union all
      select t.number, t.source, t.key_column from imago.plan_stage t where t.plan = plan_name
    ) w
    cross join lateral (
      select w.stage, case when renamed then imago.name_now(plan_name, w.source) else w.source end as source,
        case when renamed then imago.key_now(plan_name, w.source, w.key_column) else w.key_column end as key_column) v
    where v.source = find_identity.relation
    union all
    select row(w.stage, w.key_columns[1])::imago.identity_walk
    from unnest(result.writes) w where w.entity_column is null and w.relation = find_identity.relation);
  result.refs := array(
    select row(w.id, a.attname, k.attname)::imago.identity_reference
    from pg_catalog.pg_constraint c
    join unnest(result.writes) w on pg_catalog.to_regclass(w.relation) = c.conrelid
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_catalog.pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
    where c.contype = 'f' and c.confupdtype = 'c' and c.conparentid = 0 and cardinality(c.conkey) = 1
      and c.confrelid = pg_catalog.to_regclass(find_identity.relation) and a.attname = any (w.columns || w.inserted_columns || w.deleted_columns));
  result.columns := array(
    select distinct i.name
    from (
      select unnest(w.key_columns || imago.key_names(w.entity_column)) as name from unnest(result.writes) w where w.relation = find_identity.relation
      union all
      select unnest(imago.key_names(w.key_column)) from unnest(result.walks) w
      union all
      select f.referenced from unnest(result.refs) f
    ) i
    where i.name is not null
    order by 1);
  return result;
end
$$;
comment on function imago.find_identity(text, text) is 'By what the journal of a plan knows rows of a table, entities and what refers to them, as all that is called now.';
