create or replace function imago.cut_lanes(run imago.run, plan imago.plan, size integer default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted integer := least(
    imago.setting_number('lanes'),
    greatest(1, imago.estimated_rows(plan.source) / 2000));
  by_block constant boolean := imago.should_walk_by_block(run, plan);
  bounds text[];
begin
  if by_block and not run.late_only then
    -- All blocks that the walked table has now: what comes later, or has moved, is found by the late pass.
    insert into imago.lane (run, stage, pass, number, by_block, lower_key, upper_key, batch_size)
    select run.id, plan.stage, 'main', n, true, format('(%s,0)', (n - 1) * blocks / lanes), format('(%s,0)', n * blocks / lanes), coalesce(size, 100)
    from (
      select pg_catalog.pg_relation_size(format('%I.%I', w.relation_schema, w.relation_name)) / current_setting('block_size')::bigint as blocks
      from imago.walked_rows(run, plan) w
    ) walked
    -- Each batch reads its lane from the cursor on to its end.
    cross join lateral (select greatest(wanted, blocks / 1024) as lanes) cut
    cross join generate_series(1, lanes) n;
  end if;
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
       where s.schemaname = $1 and s.tablename = $2 and s.attname = $3 and not s.inherited', coalesce(plan.key_type, 'text'))
    -- Statistics know each column by itself: some blocks of the table are read instead.
    else format('(select %s as b from %s s tablesample system ($5)) keys', case run.direction
      when 'rollback' then imago.text_of_key(plan.key_type, imago.key_of(plan, 's')) || ' collate "C"' else imago.key_of(plan, 's') end, plan.source) end,
    imago.text_of_key(case run.direction when 'rollback' then 'text' else coalesce(plan.key_type, 'text') end, 'b'))
  into bounds using plan.source_schema, plan.source_table, plan.key_column, wanted,
    least(100, 30000.0 * wanted / greatest(1, imago.estimated_rows(plan.source)));

  insert into imago.lane (run, stage, pass, number, lower_key, upper_key, batch_size)
  select run.id, plan.stage, pass, n, bounds[n - 1], bounds[n], coalesce(size, case pass when 'main' then 100 else 2000 end)
  from unnest(array['main', 'late']) pass
  cross join generate_series(1, coalesce(cardinality(bounds), 0) + 1) n
  where pass = 'late' or not (run.late_only or by_block);
end
$$;
comment on function imago.cut_lanes(imago.run, imago.plan, integer) is 'Cuts the key space of a stage into lanes by the statistics of the source, open at both ends. Each range once for the main and once for the late pass. The main pass of a large table may go by blocks instead (should_walk_by_block).';
