create or replace function imago.forecast_amounts(plan imago.plan, stages jsonb, workers integer, max_per_second integer)
returns imago.forecast
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.forecast;
  stage record;
  entities bigint;
  seconds numeric;
  wal_bytes numeric;
  block_bytes constant numeric := current_setting('block_size')::numeric;
  pages constant numeric := (select sum(s.bytes) / block_bytes from imago.relation_sizes(plan) s);
begin
  result := row(0, false, 0, 0, 0, 0, 0, '{}', 0, 0, '{}');
  for stage in
    select s.*, c.* from jsonb_to_recordset(stages)
      s(stage integer, pending bigint, pending_is_estimate boolean, tried bigint, moved bigint, seconds numeric, cost jsonb)
    cross join lateral jsonb_to_record(s.cost)
      c(ms numeric, wal_record_bytes numeric, journal_bytes numeric, table_bytes numeric, dead_rows jsonb)
    order by s.stage
  loop
    -- An earlier stage may add to what is pending in a later one.
    entities := greatest(stage.pending, stage.tried);
    result.entities := result.entities + entities;
    result.is_estimate := result.is_estimate or stage.pending_is_estimate;
    continue when entities = 0;
    -- Of a few of many it cannot be told what is paid once.
    if stage.ms is null or stage.moved < least(entities / 2, 50) then
      result.unknown_stages := result.unknown_stages || stage.stage;
      continue;
    end if;
    seconds := greatest(entities * stage.ms / 1000 / workers, entities::numeric / max_per_second);
    wal_bytes := imago.log_estimate(stage.cost, entities, seconds, pages, entities * (stage.journal_bytes + stage.table_bytes) / block_bytes);
    result.wal_bytes := result.wal_bytes + wal_bytes;
    result.wal_bytes_least := result.wal_bytes_least + entities * stage.wal_record_bytes;
    result.entity_wal := greatest(result.entity_wal, wal_bytes / entities);
    result.wal_per_second := greatest(result.wal_per_second, wal_bytes / greatest(0.001, seconds));
    result.journal_bytes := result.journal_bytes + entities * stage.journal_bytes;
    result.table_bytes := result.table_bytes + entities * stage.table_bytes;
    result.seconds := result.seconds + seconds;
    select coalesce(jsonb_object_agg(d.name, d.rows), '{}') into result.dead_rows
    from (
      select e.key as name, round(sum(e.rows)) as rows
      from (
        select k.key, k.value::numeric as rows from jsonb_each_text(result.dead_rows) k
        union all
        select k.key, k.value::numeric * entities from jsonb_each_text(stage.dead_rows) k
      ) e
      group by e.key
    ) d;
  end loop;
  return result;
end
$$;
comment on function imago.forecast_amounts(imago.plan, jsonb, integer, integer) is 'What all that is pending will write, and in how long. Takes what a dry run says of each stage, how many callers there are and the rate that they may have.';
