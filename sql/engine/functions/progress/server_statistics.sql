create or replace function imago.server_statistics()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'database_connections', d.numbackends,
    'max_connections', current_setting('max_connections')::integer,
    'cache_hit_ratio', round(d.blks_hit::numeric / nullif(d.blks_hit + d.blks_read, 0), 4))
  from pg_catalog.pg_stat_database d where d.datname = pg_catalog.current_database()
$$;
comment on function imago.server_statistics() is 'Connections and cache hits of the database.';
