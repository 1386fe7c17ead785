create or replace function imago.should_walk_by_block(run imago.run, plan imago.plan)
returns boolean
language sql
stable
set search_path = ''
as $$
  select imago.plan_bytes(plan) >= imago.setting_number('block_walk_percent') / 100.0 * pg_catalog.pg_size_bytes(current_setting('shared_buffers'))
    -- A ctid says where a row lies within one heap only. A partition that has no rows yet has no statistics either.
    and (
      select bool_and(abs(s.correlation) < 0.5 and c.relkind = 'r' and not exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid))
      from imago.walked_rows(run, plan) w
      join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(format('%I.%I', w.relation_schema, w.relation_name))
      join pg_catalog.pg_stats s on s.schemaname = w.relation_schema and s.tablename = w.relation_name and s.attname = (imago.key_names(w.key_column))[1] and not s.inherited)
$$;
comment on function imago.should_walk_by_block(imago.run, imago.plan) is 'Whether the main pass of a stage goes in the order in which rows lie on disk. So for tables too large for the server''s buffers, whose keys (random uuids) have nothing to do with it, where each batch in key order would touch blocks all over them.';
