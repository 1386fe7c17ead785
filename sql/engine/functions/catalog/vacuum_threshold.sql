create or replace function imago.vacuum_threshold(relation pg_catalog.regclass)
returns numeric
language sql
stable
set search_path = ''
as $$
  select case when o.enabled then least(o.base + o.scale * greatest(c.reltuples, 0)::numeric, nullif(o.most, -1)) end
  from pg_catalog.pg_class c
  cross join lateral (
    select
      coalesce(current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
        and coalesce(max(r.option_value) filter (where r.option_name = 'autovacuum_enabled'), 'true')::boolean, true) as enabled,
      coalesce(max(r.option_value) filter (where r.option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold'))::numeric as base,
      coalesce(max(r.option_value) filter (where r.option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor'))::numeric as scale,
      -- From PostgreSQL 18 on.
      coalesce(max(r.option_value) filter (where r.option_name = 'autovacuum_vacuum_max_threshold'), current_setting('autovacuum_vacuum_max_threshold', true))::numeric as most
    from pg_catalog.pg_options_to_table(c.reloptions) r
  ) o
  where c.oid = relation
$$;
comment on function imago.vacuum_threshold(pg_catalog.regclass) is 'Dead rows above which autovacuum comes to a table; null where it does not come by itself.';
