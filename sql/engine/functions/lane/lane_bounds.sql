create or replace function imago.lane_bounds(run imago.run, plan imago.plan, relation_schema text, relation_name text, wanted integer)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  relation constant text := format('%I.%I', relation_schema, relation_name);
  key_sql constant text := imago.key_of(plan, 's');
  bounds text[];
begin
  execute format(
    'select array_agg(%2$s order by b)
     from (
       select distinct on (part) b
       from (select b, ntile($4) over (order by b) as part from %1$s) parts
       where part < $4
       order by part, b desc
     ) cuts',
    case when cardinality(imago.key_names(plan.key_column)) = 1 then format(
      'pg_catalog.pg_stats s, unnest(s.histogram_bounds::text::%s[]) b
       where s.schemaname = $1 and s.tablename = $2 and s.attname = $3
         and s.inherited = exists (select from pg_catalog.pg_partitioned_table p where p.partrelid = pg_catalog.to_regclass($6))', coalesce(plan.key_type, 'text'))
    -- Statistics know each column by itself: some blocks of the table are read instead.
    else format('(select %s as b from %s s tablesample system ($5)) keys', case run.direction
      when 'rollback' then imago.text_of_key(plan.key_type, key_sql) || ' collate "C"' else key_sql end, relation) end,
    imago.text_of_key(case run.direction when 'rollback' then 'text' else coalesce(plan.key_type, 'text') end, 'b'))
  into bounds using relation_schema, relation_name, plan.key_column, wanted,
    least(100, 30000.0 * wanted / greatest(1, imago.estimated_rows(relation))), relation;
  return bounds;
end
$$;
comment on function imago.lane_bounds(imago.run, imago.plan, text, text, integer) is 'Keys that cut a source, or a partition of it, into so many ranges of about as many rows each, by its statistics.';
