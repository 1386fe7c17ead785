create or replace function imago.installed_undo()
returns jsonb
language sql
stable
set search_path = ''
as $$
  with known as (
    select w.plan, w.undo_table as name, 'table' as kind, w.captured_at is not null as wanted
    from imago.plan_write w where w.undo_table is not null
    union all
    select w.plan, w.undo_table || suffix, 'function', false
    from imago.plan_write w
    cross join unnest(array['_insert', '_update', '_delete', '_note', '_keep', '_give', '_same', '_back', '_lock']) suffix
    where w.undo_table is not null
    union all
    select s.plan, imago.sync_function(s.plan, s.position), 'function', s.installed_at is not null from imago.plan_sync s
    union all
    select s.plan, imago.fill_function(s.plan, s.position), 'function', false from imago.plan_sync s
    union all
    select p.name, imago.walk_function(p.name, o.stage), 'function', p.prepared_at is not null and p.closed_at is null
    from imago.plan p cross join lateral imago.walked_only(p.name) o
  ), present as (
    select c.relname as name, 'table' as kind, pg_catalog.pg_total_relation_size(c.oid) as bytes
    from pg_catalog.pg_class c where c.relnamespace = 'imago_undo'::pg_catalog.regnamespace and c.relkind = 'r'
    union all
    select p.proname, 'function', null from pg_catalog.pg_proc p where p.pronamespace = 'imago_undo'::pg_catalog.regnamespace
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('imago_undo.%I', coalesce(k.name, p.name)),
    'kind', coalesce(k.kind, p.kind),
    'plan', k.plan,
    'bytes', p.bytes,
    'state', case when p.name is null then 'missing' when k.name is null then 'orphaned' else 'sound' end)
    order by coalesce(k.kind, p.kind) desc, coalesce(k.name, p.name)), '[]')
  from known k
  full join present p on p.name = k.name and p.kind = k.kind
  where p.name is not null or k.wanted
$$;
comment on function imago.installed_undo() is 'Undo tables and the functions that fill them: sound, missing, or orphaned where no plan knows them any more.';
