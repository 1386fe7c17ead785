create or replace function imago.schema_moves(plan_name text)
returns table (relation text, name text, number integer, kind text, becomes text, was text)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  with noted as (
    select d.*, d.noted_in = 'imago.declared'::pg_catalog.regclass as by_number
    from imago.declared d where d.plan = plan_name
  ), tables as (
    select n.relation, c.oid, quote_ident(s.nspname) || '.' || quote_ident(c.relname) as is_now,
      n.by_number, pg_catalog.to_regclass(n.relation)::oid as of_that_name
    from noted n
    -- After a restore from a dump numbers are others, and names count.
    left join pg_catalog.pg_class c on c.oid = case when n.by_number then n.relation_id else pg_catalog.to_regclass(n.relation)::oid end
    left join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    where n.number = 0
  ), columns as (
    select n.relation, n.name, n.number, n.type, n.labels, a.attname, n.by_number,
      pg_catalog.format_type(a.atttypid, a.atttypmod) as type_now, a.atttypid
    from noted n
    join tables t on t.relation = n.relation and t.oid is not null
    left join pg_catalog.pg_attribute a on a.attrelid = t.oid and not a.attisdropped
      and case when n.by_number then a.attnum = n.number else a.attname = n.name and a.attnum > 0 end
    where n.number > 0
  )
  select t.relation, null, 0,
    case when t.oid is null and t.of_that_name is not null then 'replaced' when t.oid is null then 'dropped'
      when t.of_that_name is not null and t.of_that_name <> t.oid then 'replaced' else 'renamed' end, t.is_now, null::text
  from tables t where t.oid is null or t.of_that_name is distinct from t.oid
  union all
  select c.relation, c.name, c.number, 'dropped', null, c.type from columns c where c.attname is null
  union all
  select c.relation, c.name, c.number, 'renamed', c.attname, null from columns c where c.attname <> c.name
  union all
  select c.relation, c.name, c.number, 'retyped', c.type_now, c.type
  from columns c
  where c.type_now <> c.type
     -- No label leaves an enum: the type is another one of the same name.
     or c.by_number and c.labels is not null and exists (
       select from jsonb_object_keys(c.labels) l(id)
       where not exists (select from pg_catalog.pg_enum e where e.enumtypid = imago.enum_behind(c.atttypid) and e.oid = l.id::oid))
  union all
  select c.relation, c.name, c.number, 'label', e.enumlabel, l.value
  from columns c cross join lateral jsonb_each_text(c.labels) l
  -- Asked of columns with labels only, whatever the plan of this query.
  join pg_catalog.pg_enum e on e.enumtypid = case when c.labels is not null then imago.enum_behind(c.atttypid) end and e.oid = l.key::oid and e.enumlabel <> l.value
  where c.by_number
  union all
  select t.relation, a.attname, a.attnum::integer, 'added', null, null
  from tables t
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where not exists (
    select from columns c where c.relation = t.relation and case when c.by_number then c.number = a.attnum else c.name = a.attname end);
end
$$;
comment on function imago.schema_moves(text) is 'What has become of the tables of a plan since prepare. Tables and columns were dropped, replaced, renamed, retyped or added, and labels of enums renamed; becomes: the new name or type.';
