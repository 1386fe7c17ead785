-- Removes Imago. The app's tables and rows stay as they are, with what migrations have added to them. One transaction: all of it or
-- nothing.
set local lock_timeout = '5s';

do $$
declare
  -- True gives up the way back: --discard-journal writes it so.
  discard_journal constant boolean := false;
  own_schemas name[];
  found text;
  relation record;
  item record;
  filled boolean;
begin
  if pg_catalog.to_regnamespace('imago') is null then
    raise notice 'Imago is not installed: nothing to remove.';
    return;
  end if;
  -- Batches in flight are waited for, and later ones find nothing.
  lock table imago.plan, imago.run in access exclusive mode;

  select string_agg(format('run %s of plan %s (%s) is %s', r.id, r.plan, r.direction, r.state), ', ' order by r.id) into found
  from imago.run r where r.state in ('pending', 'running', 'paused');
  if found is not null then
    perform imago.raise_error('IM054', found);
  end if;

  if not discard_journal then
    for relation in
      select w.plan, w.undo_table from imago.plan_write w join imago.plan p on p.name = w.plan
      where p.closed_at is null and pg_catalog.to_regclass('imago_undo.' || quote_ident(w.undo_table)) is not null order by w.plan
    loop
      execute format('select exists (select from imago_undo.%I)', relation.undo_table) into filled;
      if filled then
        perform imago.raise_error('IM053', relation.plan);
      end if;
    end loop;
  end if;

  own_schemas := imago.own_schemas();
  for item in
    select t.tgname, t.tgrelid::pg_catalog.regclass as relation
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any (own_schemas) and not t.tgisinternal and t.tgparentid = 0 and imago.is_owned(t.tgrelid::pg_catalog.regclass::text)
    order by t.tgrelid, t.tgname
  loop
    execute format('drop trigger %I on %s', item.tgname, item.relation);
  end loop;
  -- Those on tables of others go with what they call.
  for item in
    select distinct p.oid::pg_catalog.regprocedure as routine
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any (own_schemas) and not t.tgisinternal and t.tgparentid = 0
  loop
    perform imago.drop_trigger_function(item.routine);
  end loop;

  -- Dropping the schemas cascades, so whatever of the app stands on them is looked for first.
  with own_namespaces as (
    select n.oid from pg_catalog.pg_namespace n where n.nspname = any (own_schemas)
  ), own_relations as (
    select c.oid, c.reltype from pg_catalog.pg_class c
    where c.relnamespace in (select o.oid from own_namespaces o) or c.oid = pg_catalog.to_regclass('public.migration_log')
  ), own_functions as (
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace in (select o.oid from own_namespaces o)
       or p.oid = any ((select imago.public_functions())::oid[])
  ), own_types as (
    select t.oid from pg_catalog.pg_type t
    where t.typnamespace in (select o.oid from own_namespaces o) or t.oid in (select r.reltype from own_relations r)
  ), dependents as (
    select d.classid, d.objid, d.objsubid,
      -- What belongs to a relation is ours with it.
      case d.classid
        when 'pg_class'::pg_catalog.regclass then d.objid
        when 'pg_rewrite'::pg_catalog.regclass then (select r.ev_class from pg_catalog.pg_rewrite r where r.oid = d.objid)
        when 'pg_attrdef'::pg_catalog.regclass then (select a.adrelid from pg_catalog.pg_attrdef a where a.oid = d.objid)
        when 'pg_constraint'::pg_catalog.regclass then (select c.conrelid from pg_catalog.pg_constraint c where c.oid = d.objid)
        when 'pg_trigger'::pg_catalog.regclass then (select t.tgrelid from pg_catalog.pg_trigger t where t.oid = d.objid)
        when 'pg_policy'::pg_catalog.regclass then (select p.polrelid from pg_catalog.pg_policy p where p.oid = d.objid)
      end as relation
    from pg_catalog.pg_depend d
    where d.deptype in ('n', 'a')
      and (d.refclassid = 'pg_class'::pg_catalog.regclass and d.refobjid in (select r.oid from own_relations r)
        or d.refclassid = 'pg_proc'::pg_catalog.regclass and d.refobjid in (select f.oid from own_functions f)
        or d.refclassid = 'pg_type'::pg_catalog.regclass and d.refobjid in (select t.oid from own_types t))
  )
  select string_agg(distinct
    -- The rule of a view is the view.
    case d.classid when 'pg_rewrite'::pg_catalog.regclass then 'view ' || d.relation::pg_catalog.regclass::text
      else pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) end, ', ') into found
  from dependents d
  where (d.relation is null or d.relation not in (select r.oid from own_relations r))
    and not (d.classid = 'pg_proc'::pg_catalog.regclass and d.objid in (select f.oid from own_functions f))
    and not (d.classid = 'pg_type'::pg_catalog.regclass and d.objid in (select t.oid from own_types t));
  if found is not null then
    perform imago.raise_error('IM055', found);
  end if;

  -- The source of a function is text, on which PostgreSQL keeps no account. One that asks whether there is such a function may stay.
  select string_agg('function ' || p.oid::pg_catalog.regprocedure::text, ', ' order by p.oid::pg_catalog.regprocedure::text) into found
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  cross join lateral (select regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', '', 'g') as source) s
  where n.nspname <> all (own_schemas) and s.source ~* '\mimago"?\s*\.\s*"?in_batch\M' and s.source !~* '\mto_regproc(edure)?\M';
  if found is not null then
    perform imago.raise_error('IM055', found);
  end if;

  for item in select p.name from imago.plan p loop
    perform imago.unschedule(item.name, 'Imago is removed');
  end loop;
  drop view public.migration_log;
  for item in
    select f::pg_catalog.regprocedure as routine from unnest(imago.public_functions()) f
  loop
    execute format('drop function %s', item.routine);
  end loop;
  execute format('drop schema %s cascade', (select string_agg(format('%I', s), ', ') from unnest(own_schemas) s));
end
$$;
