create or replace function imago.walks_by_block(run imago.run, plan imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- A ctid says where a row lies within one heap only.
  select run.direction = 'forward'
    and imago.plan_bytes(plan) >= imago.setting_number('block_walk_mb') * 1024 * 1024::bigint
    and coalesce((
      select abs(s.correlation) < 0.5 from pg_catalog.pg_stats s
      where s.schemaname = plan.source_schema and s.tablename = plan.source_table and s.attname = plan.key_column and not s.inherited), false)
    and exists (
      select from pg_catalog.pg_class c
      where c.oid = pg_catalog.to_regclass(format('%I.%I', plan.source_schema, plan.source_table)) and c.relkind = 'r'
        and not exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid))
$$;
comment on function imago.walks_by_block(imago.run, imago.plan) is 'Whether the main pass of a stage goes through its source in the order in which rows lie on disk: large tables whose keys (random uuids) have nothing to do with it, where each batch in key order would touch blocks all over the tables.';
