create or replace function imago.users_of_plan(plan_name text)
returns text
language sql
stable
set search_path = ''
as $$
  with own_relations as (
    select c.oid, c.reltype from pg_catalog.pg_class c where c.relnamespace = pg_catalog.to_regnamespace(quote_ident(plan_name))
  ), own as (
    select 'pg_catalog.pg_class'::pg_catalog.regclass as class, r.oid as id from own_relations r
    union all
    select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid from pg_catalog.pg_proc p
    where p.pronamespace = pg_catalog.to_regnamespace(quote_ident(plan_name))
       or p.oid = any (imago.published_functions(plan_name))
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid from pg_catalog.pg_type t
    where t.typnamespace = pg_catalog.to_regnamespace(quote_ident(plan_name))
  ), dependents as (
    select d.classid, d.objid, d.objsubid,
      -- What belongs to a relation is the plan's with it.
      case d.classid when 'pg_catalog.pg_class'::pg_catalog.regclass then d.objid
        else coalesce(w.ev_class, f.adrelid, c.conrelid, t.tgrelid, l.polrelid) end as relation
    from pg_catalog.pg_depend d
    join own o on o.class = d.refclassid and o.id = d.refobjid
    left join pg_catalog.pg_rewrite w on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = d.objid
    left join pg_catalog.pg_attrdef f on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and f.oid = d.objid
    left join pg_catalog.pg_constraint c on d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and c.oid = d.objid
    left join pg_catalog.pg_trigger t on d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and t.oid = d.objid
    left join pg_catalog.pg_policy l on d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and l.oid = d.objid
    where d.deptype in ('n', 'a')
  )
  select string_agg(distinct
    -- The rule of a view is the view.
    case d.classid when 'pg_catalog.pg_rewrite'::pg_catalog.regclass then 'view ' || d.relation::pg_catalog.regclass::text
      else pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) end, ', ')
  from dependents d
  where (d.relation is null or d.relation not in (select r.oid from own_relations r))
    and not exists (select from own o where o.class = d.classid and o.id = d.objid)
$$;
comment on function imago.users_of_plan(text) is 'What of the app stands on objects of a plan, or null.';
