create or replace function imago.move_keys(
  run imago.run,
  plan imago.plan,
  keys text[],
  path text,
  size integer,
  deadline timestamptz,
  attempts_left integer,
  deferrals integer,
  fixed imago.plan_check default null,
  results jsonb default null
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
  -- Somebody was just set aside: in the late pass, which tries those once more, the rest would otherwise never have its turn.
  again boolean := false;
  failure record;
  started timestamptz;
begin
  result := row('done', 0, 0, 0, 0, size, null, '{}', null, null);
  while first <= cardinality(keys) loop
    while ends[cardinality(ends)] < first loop
      ends := trim_array(ends, 1);
    end loop;
    last := least(ends[cardinality(ends)], first + size - 1);
    if result.attempts >= attempts_left or (clock_timestamp() >= deadline and result.attempts > 0 and not again) then
      result.outcome := 'time';
      result.next_size := last - first + 1;
      exit;
    end if;

    select coalesce(array_agg(k order by n), '{}') into segment
    from unnest(keys[first:last]) with ordinality s(k, n) where k <> all (aside);
    if segment = '{}' then
      first := last + 1;
      again := false;
      continue;
    end if;
    again := false;
    started := clock_timestamp();
    result.attempts := result.attempts + 1;
    attempt := imago.attempt_batch(run, plan, segment, path, fixed => fixed, results => results);
    if attempt.outcome = 'moved' then
      result.moved := result.moved + attempt.moved;
      result.failed := result.failed + coalesce(cardinality(attempt.bad_keys), 0);
      result.rows := imago.add_counts(result.rows, attempt.rows);
      perform imago.clear_set_aside(run, segment, plan.stage);
      size := imago.next_size(cardinality(segment), clock_timestamp() - started, null);
      first := last + 1;
      continue;
    end if;

    failure := imago.handle_failed_batch(run, plan, segment, attempt,
      had_whole_call => result.attempts = 1 and attempts_left = imago.setting_number('max_sub_batches'),
      may_defer => deferrals < imago.setting_number('deferrals'));
    result.sqlstate := attempt.sqlstate;
    result.error_code := attempt.error_code;
    result.error_detail := attempt.error_detail;
    result.failed := result.failed + cardinality(failure.aside);
    aside := aside || failure.aside;
    if failure.outcome = 'halve' then
      ends := ends || (first + (last - first) / 2);
    elsif failure.outcome = 'again' then
      again := true;
    else
      result.outcome := failure.outcome;
      if attempt.outcome = 'timeout' then
        result.next_size := imago.size_after_timeout(cardinality(segment));
        first := case when failure.aside = '{}' then first else last + 1 end;
      end if;
      exit;
    end if;
  end loop;
  result.resolved := first - 1;
  return result;
end
$$;
comment on function imago.move_keys(imago.run, imago.plan, text[], text, integer, timestamptz, integer, integer, imago.plan_check, jsonb) is 'Moves a list of entities in its order until it is done or the call''s budget is. Halves down to bad entities, sets them aside, keeps the rest. Starts with sub-batches of size and lets them grow.';
