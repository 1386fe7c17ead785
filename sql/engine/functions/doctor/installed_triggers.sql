create or replace function imago.installed_triggers()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with expected as (
    select w.plan, r.relation, imago.trigger_name(w.plan, t.kind) as name
    from imago.plan_write w
    cross join lateral (
      select w.relation, true as is_declared
      union all
      select p::text, false from imago.written_tables(w.relation) p where p <> pg_catalog.to_regclass(w.relation)
    ) r
    cross join lateral (values
      ('guard', true),
      ('update', true),
      ('insert', w.inserts),
      ('delete', w.deletes),
      -- Row triggers: PostgreSQL has the partitions follow by itself.
      ('note', r.is_declared and w.kept_at is not null),
      ('keep', r.is_declared and w.kept_at is not null),
      ('give', r.is_declared and w.deletes and w.kept_at is not null),
      ('same', r.is_declared and w.deletes and w.kept_at is not null)
    ) t(kind, wanted)
    where w.captured_at is not null and t.wanted
    union all
    select p.name, r.relation, imago.trigger_name(p.name, 'walk')
    from imago.plan p
    cross join lateral imago.walked_only(p.name) o
    cross join lateral (
      select o.relation
      union all
      select t::text from imago.written_tables(o.relation) t where t <> pg_catalog.to_regclass(o.relation)
    ) r
    where p.prepared_at is not null and p.closed_at is null
    union all
    select s.plan, r.relation, imago.trigger_name(s.plan, 'sync', s.position || '_' || e)
    from imago.plan_sync s
    cross join lateral (
      select s.relation
      union all
      select p::text from imago.written_tables(s.relation) p where p <> pg_catalog.to_regclass(s.relation)
    ) r
    cross join lateral unnest(s.events) e
    where s.installed_at is not null and imago.may_follow(r.relation) is not false
    union all
    select s.plan, s.relation, imago.trigger_name(s.plan, k, s.position::text)
    from imago.plan_sync s cross join unnest(array['begin', 'fill']) k
    where s.installed_at is not null and pg_catalog.to_regprocedure(format('imago_undo.%I()', imago.fill_function(s.plan, s.position))) is not null
  ), present as (
    select g.tgrelid, g.tgname, g.tgenabled, p.name as plan
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_proc f on f.oid = g.tgfoid
    join pg_catalog.pg_class c on c.oid = g.tgrelid
    -- A step of a plan may have put up triggers of its own; they go with the plan's. Those on its own tables stay with it.
    left join imago.plan p on f.pronamespace = pg_catalog.to_regnamespace(quote_ident(p.name)) and (p.closed_at is null or c.relnamespace = f.pronamespace)
    where not g.tgisinternal and g.tgparentid = 0 and imago.is_ours(f.oid) and f.pronamespace <> 'public'::pg_catalog.regnamespace
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'relation', coalesce(e.relation, g.tgrelid::pg_catalog.regclass::text),
    'name', coalesce(e.name, g.tgname),
    'plan', coalesce(e.plan, g.plan),
    'state', case
      when g.tgname is null then 'missing'
      when e.name is null and g.plan is null then 'orphaned'
      when g.tgenabled not in ('O', 'A') then 'disabled'
      else 'sound' end) order by coalesce(e.relation, g.tgrelid::pg_catalog.regclass::text), coalesce(e.name, g.tgname)), '[]')
  from expected e
  full join present g on g.tgrelid = pg_catalog.to_regclass(e.relation) and g.tgname = e.name
$$;
comment on function imago.installed_triggers() is 'Our triggers on the app''s tables: sound, missing, disabled, or orphaned where no plan knows them any more. These are guard, capture, walk, note, keep, give, same, sync and fill.';
