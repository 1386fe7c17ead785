create or replace function imago.take_readings(plan imago.plan, run imago.run, governor imago.governor, holds_rows boolean)
returns imago.reading[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  throttle imago.throttle;
  source record;
  known imago.reading[] := array(select r from imago.reading r where r.plan = governor.plan);
  before imago.reading[];
  result imago.reading[] := '{}';
begin
  -- What others do is frozen for the whole transaction otherwise.
  perform pg_catalog.pg_stat_clear_snapshot();
  select t.* into throttle from imago.throttle t where t.plan = governor.plan;
  for source in
    select s.source as name, array_agg(s order by s.position) as signals, max(s.every_ms) as every_ms
    from imago.signal s
    where s.name <> all (coalesce(throttle.ignored, '{}')) and num_nonnulls(s.slow, s.hold, s.tell) > 0 and s.source is not null
    group by s.source
  loop
    continue when not imago.is_wanted(source.name, throttle);
    if source.every_ms is not null then
      before := array(select k from unnest(known) k join unnest(source.signals) s on s.name = k.signal where k.read_at is not null);
      -- A query of the operator is not asked while rows are locked: nobody knows what it takes.
      if source.name = 'query' and holds_rows
         or before <> '{}' and not imago.is_reading_due(before[1], source.every_ms) and not (source.name = 'query' and before[1].read_at < throttle.set_at) then
        result := result || before;
        continue;
      end if;
    end if;
    result := result || imago.read_signals(source.signals, plan, run, governor, throttle, known);
  end loop;
  return result;
end
$$;
comment on function imago.take_readings(imago.plan, imago.run, imago.governor, boolean) is 'Reads all signals that have thresholds and are not ignored; dear ones only when they are due. Changes nothing.';
