create or replace function imago.note_schema(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  known jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(d)), '[]') into known from imago.declared d where d.plan = plan_name;
  delete from imago.declared d where d.plan = plan_name;
  insert into imago.declared (plan, relation, name, first_relation, first_name, relation_id, number, type, labels, noted_in)
  select plan_name, r.relation, coalesce(a.attname, ''), coalesce(k.first_relation, r.relation), coalesce(k.first_name, a.attname, ''),
    r.oid, coalesce(a.attnum, 0),
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    (select jsonb_object_agg(e.oid, e.enumlabel) from pg_catalog.pg_enum e where e.enumtypid = imago.enum_behind(a.atttypid)),
    'imago.declared'::pg_catalog.regclass
  from (
    select d.relation, pg_catalog.to_regclass(d.relation) as oid from imago.declared_relations(plan_name) d(relation)
  ) r
  cross join lateral (
    select null::name as attname, 0::smallint as attnum, null::oid as atttypid, null::integer as atttypmod
    union all
    select c.attname, c.attnum, c.atttypid, c.atttypmod from pg_catalog.pg_attribute c
    where c.attrelid = r.oid and c.attnum > 0 and not c.attisdropped and c.attgenerated = ''
  ) a
  left join jsonb_to_recordset(known) k(relation text, name text, number integer, first_relation text, first_name text, noted_in oid)
    on k.relation = r.relation
      -- After a restore from a dump numbers are others, and names count.
      and case when k.noted_in = 'imago.declared'::pg_catalog.regclass then k.number = coalesce(a.attnum, 0) else k.name = coalesce(a.attname, '') end
  where r.oid is not null;
end
$$;
comment on function imago.note_schema(text) is 'Notes the tables of a plan and their columns as they are, by what the catalogue knows them by. What they were called at first stays.';
