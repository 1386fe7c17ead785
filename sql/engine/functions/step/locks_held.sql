create or replace function imago.locks_held()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('object', h.relation::text, 'mode', h.mode) order by h.relation::text), '[]')
  from (
    select distinct on (c.oid) c.oid::pg_catalog.regclass as relation, m.mode
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p')
    join unnest(array['ACCESS EXCLUSIVE', 'EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'SHARE', 'ROW EXCLUSIVE']) with ordinality m(mode, strength)
      on replace(initcap(m.mode), ' ', '') || 'Lock' = l.mode
    where l.locktype = 'relation' and l.granted and l.pid = pg_catalog.pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and c.relnamespace not in (select n.oid from pg_catalog.pg_namespace n where n.nspname ~ '^(pg_|imago)' or n.nspname in (select p.name from imago.plan p))
    order by c.oid, m.strength
  ) h
$$;
comment on function imago.locks_held() is 'The app''s tables that this transaction holds against others, each with its strongest mode.';
