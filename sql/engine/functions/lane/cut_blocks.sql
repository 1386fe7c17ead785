create or replace function imago.cut_blocks(run imago.run, plan imago.plan, least_lanes integer, size integer default null)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into imago.lane (run, stage, pass, number, by_block, lower_key, upper_key, batch_size)
  select run.id, plan.stage, 'main', n, true, format('(%s,0)', (n - 1) * blocks / lanes), format('(%s,0)', n * blocks / lanes), coalesce(size, 100)
  from (
    select pg_catalog.pg_relation_size(format('%I.%I', w.relation_schema, w.relation_name)) / current_setting('block_size')::bigint as blocks
    from imago.walked_rows(run, plan) w
  ) walked
  -- Each batch reads its lane from the cursor on to its end.
  cross join lateral (select greatest(least_lanes, blocks / 1024) as lanes) cut
  cross join generate_series(1, lanes) n
$$;
comment on function imago.cut_blocks(imago.run, imago.plan, integer, integer) is 'Cuts the main lanes of a walk by blocks: all blocks that the walked table has now. What comes later, or has moved, is found by the late pass.';
