create or replace function imago.walked_rows(
  run imago.run,
  plan imago.plan,
  out relation_schema text,
  out relation_name text,
  out key_column text,
  out partition text
)
returns setof record
language plpgsql
stable
set search_path = ''
as $$
begin
  if run.direction = 'rollback' then
    return query
      select 'imago_undo', w.undo_table, 'entity', null from imago.stage_writes(plan) w
      order by w.relation = plan.source desc, w.position limit 1;
    return;
  end if;
  return query
    select n.nspname::text, c.relname::text, plan.key_column, format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(plan.source)) t
    join pg_catalog.pg_class c on c.oid = t.relid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where t.isleaf and t.level > 0 and imago.may_walk_partitions(plan.source)
    order by 1, 2;
  if not found then
    return query select plan.source_schema, plan.source_table, plan.key_column, null::text;
  end if;
end
$$;
comment on function imago.walked_rows(imago.run, imago.plan, out text, out text, out text, out text) is 'The tables that a main pass goes through: the source of a stage, or each of its partitions. On the way back one undo table, that of the source if it is written; by blocks, entities that have no row in it are left to the late pass.';
