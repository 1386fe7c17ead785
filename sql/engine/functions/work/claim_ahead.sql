create or replace function imago.claim_ahead(run imago.run, plan imago.plan, inout lane imago.lane, size integer, deadline timestamptz, out keys text[])
language plpgsql
volatile
set search_path = ''
as $$
declare
  ahead record;
  last integer;
  passed integer;
  total imago.moves := row('working', 0, 0, 0, 0, 0, null, '{}', null, null);
  -- In the late pass nearly all have been moved.
  span constant integer := case when lane.pass = 'late' then greatest(size, lane.batch_size) when lane.batch_size < 100 then least(size, lane.batch_size) else size end;
  portion imago.lane;
begin
  keys := '{}';
  while not lane.done and keys = '{}' and clock_timestamp() < deadline loop
    portion := lane;
    portion.batch_size := span;
    ahead := imago.read_lane(run, plan, portion);
    if ahead.outcome = 'stop' then
      perform imago.stop_run(run, (ahead.error).error_code, (ahead.error).error_detail);
      return;
    end if;
    lane.done := ahead.outcome is null and ahead.keys is null;
    if ahead.outcome = 'timeout' then
      lane.batch_size := imago.size_after_timeout(span);
    end if;
    exit when ahead.outcome = 'timeout' or lane.done;
    select coalesce(array_agg(k order by n), '{}') into keys
    from unnest(imago.pending_or_unknown(plan, ahead.todo)) with ordinality p(k, n)
    where k not in (select c.entity from imago.claimed_entity c where c.run = claim_ahead.run.id and c.stage = claim_ahead.plan.stage);
    keys := array(select k from unnest(ahead.keys) with ordinality a(k, n) where k = any (keys) order by n limit size);
    last := case when cardinality(keys) < size then cardinality(ahead.keys) else array_position(ahead.keys, keys[size]) end;
    lane.cursor_key := ahead.places[last];
    lane.processed := lane.processed + last - cardinality(keys);
  end loop;
  perform imago.save_lane(lane, run.plan, total);
end
$$;
comment on function imago.claim_ahead(imago.run, imago.plan, imago.lane, integer, timestamptz, out text[]) is 'What is pending and free of the next keys of a lane, whose row the caller holds; the cursor goes past it. What does not come back is found by the late pass.';
