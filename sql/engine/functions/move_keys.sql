create or replace function imago.move_keys(
  run imago.run,
  plan imago.plan,
  keys text[],
  path text,
  size integer,
  deadline timestamptz,
  attempts_left integer,
  deferrals integer default 0
)
returns imago.moves
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.moves;
  attempt imago.attempt;
  -- Ends of the segments still to do, nearest last: a segment that fails is cut in two, down to the entity.
  ends integer[] := array[cardinality(keys)];
  first integer := 1;
  last integer;
  segment text[];
  aside text[] := '{}';
  bad text[];
  started timestamptz;
begin
  result := row('done', 0, 0, 0, 0, size, null, '{}');
  while first <= cardinality(keys) loop
    while ends[cardinality(ends)] < first loop
      ends := trim_array(ends, 1);
    end loop;
    last := least(ends[cardinality(ends)], first + size - 1);
    if result.attempts >= attempts_left or (clock_timestamp() >= deadline and result.attempts > 0) then
      result.outcome := 'time';
      result.next_size := last - first + 1;
      exit;
    end if;

    select coalesce(array_agg(k order by n), '{}') into segment
    from unnest(keys[first:last]) with ordinality s(k, n) where k <> all (aside);
    if segment = '{}' then
      first := last + 1;
      continue;
    end if;
    started := clock_timestamp();
    result.attempts := result.attempts + 1;
    attempt := imago.attempt_batch(run, plan, segment, path);
    if attempt.outcome = 'moved' then
      result.moved := result.moved + attempt.moved;
      result.failed := result.failed + coalesce(cardinality(attempt.bad_keys), 0);
      result.rows := imago.add_counts(result.rows, attempt.rows);
      perform imago.clear_set_aside(run, segment, plan.stage);
      size := imago.next_size(cardinality(segment), clock_timestamp() - started, null);
      first := last + 1;
      continue;
    end if;

    result.sqlstate := attempt.sqlstate;
    if attempt.outcome = 'stop' then
      result.outcome := 'stop';
      exit;
    end if;
    if attempt.outcome = 'timeout' then
      -- Only an entity that had the whole call for itself, no attempt of the call being used up before it, is too
      -- large; any other timeout asks for a smaller batch.
      if cardinality(segment) = 1 and result.attempts = 1 and attempts_left = imago.setting_number('max_sub_batches') then
        perform imago.set_aside(run, segment[1], 'too_large', attempt.sqlstate, reason => 'its rows do not fit one call', stage => plan.stage);
        result.failed := result.failed + 1;
        first := last + 1;
      end if;
      result.outcome := case when imago.over_budget(run) then 'budget' else 'timeout' end;
      result.next_size := greatest(1, cardinality(segment) / 4);
      exit;
    end if;
    if attempt.outcome = 'blocked' and deferrals < imago.setting_number('deferrals') then
      result.outcome := 'deferred';
      exit;
    end if;

    bad := imago.bad_keys(plan, segment, attempt);
    if bad = '{}' then
      perform imago.write_log(run.plan, run.id, 'debug', 'halved', jsonb_build_object('size', cardinality(segment)), null, attempt.sqlstate);
      ends := ends || (first + (last - first) / 2);
      continue;
    end if;
    perform imago.set_aside(run, k, case attempt.outcome when 'blocked' then 'deferred' else 'failed' end,
                            attempt.sqlstate, attempt.constraint_name, attempt.table_name, attempt.column_name, stage => plan.stage)
    from unnest(bad) k;
    aside := aside || bad;
    result.failed := result.failed + cardinality(bad);
    if imago.over_budget(run) then
      result.outcome := 'budget';
      exit;
    end if;
  end loop;
  result.resolved := first - 1;
  return result;
end
$$;
comment on function imago.move_keys(imago.run, imago.plan, text[], text, integer, timestamptz, integer, integer) is 'Moves a list of entities in its order until it is done or the call''s budget is: halves down to bad entities, sets them aside, keeps the rest. Starts with sub-batches of size and lets them grow.';
