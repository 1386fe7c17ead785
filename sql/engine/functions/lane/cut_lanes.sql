create or replace function imago.cut_lanes(run imago.run, plan imago.plan, size integer default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  rows constant bigint := imago.estimated_rows(plan.source);
  wanted constant integer := least(imago.setting_number('lanes'), greatest(1, rows / 2000));
begin
  if run.late_only then
    null;
  elsif imago.should_walk_by_block(run, plan) then
    -- All blocks that the walked tables have now: what comes later, or has moved, is found by the late pass.
    insert into imago.lane (run, stage, pass, number, partition, by_block, lower_key, upper_key, batch_size)
    select run.id, plan.stage, 'main', row_number() over (order by cut.partition, n), cut.partition, true,
      format('(%s,0)', (n - 1) * cut.blocks / cut.lanes), format('(%s,0)', n * cut.blocks / cut.lanes), coalesce(size, 100)
    from (
      -- Each batch reads its lane from the cursor on to its end.
      select w.partition, w.blocks, greatest(1, wanted * w.blocks / greatest(1, sum(w.blocks) over ()), w.blocks / 1024)::bigint as lanes
      from (
        select r.partition, pg_catalog.pg_relation_size(format('%I.%I', r.relation_schema, r.relation_name)) / current_setting('block_size')::bigint as blocks
        from imago.walked_rows(run, plan) r) w) cut
    cross join generate_series(1, cut.lanes) n;
  else
    insert into imago.lane (run, stage, pass, number, partition, lower_key, upper_key, batch_size)
    -- Materialized: bounds by chance are found once, so that lanes join.
    with cut as materialized (
      select w.partition, imago.lane_bounds(run, plan, w.relation_schema, w.relation_name,
        greatest(1, wanted * imago.estimated_rows(w.partition) / greatest(1, rows))::integer) as bounds
      from imago.walked_rows(run, plan) w
      where w.partition is not null
      union all
      -- On the way back, too: the journal has the keys of the source.
      select null, imago.lane_bounds(run, plan, plan.source_schema, plan.source_table, wanted)
      where not exists (select from imago.walked_rows(run, plan) w where w.partition is not null)
    )
    select run.id, plan.stage, 'main', row_number() over (order by cut.partition, n), cut.partition, cut.bounds[n - 1], cut.bounds[n], coalesce(size, 100)
    from cut
    cross join generate_series(1, coalesce(cardinality(cut.bounds), 0) + 1) n;
  end if;

  insert into imago.lane (run, stage, pass, number, lower_key, upper_key, batch_size)
  with b as materialized (
    select imago.lane_bounds(run, plan, plan.source_schema, plan.source_table, wanted) as bounds
  )
  select run.id, plan.stage, 'late', n, b.bounds[n - 1], b.bounds[n], coalesce(size, 2000)
  from b
  cross join generate_series(1, coalesce(cardinality(b.bounds), 0) + 1) n;
end
$$;
comment on function imago.cut_lanes(imago.run, imago.plan, integer) is 'Cuts a stage into lanes by the statistics of its source, open at both ends. For the main pass each partition by itself, for the late one the whole key space. The main pass of large tables may go by blocks instead (should_walk_by_block).';
