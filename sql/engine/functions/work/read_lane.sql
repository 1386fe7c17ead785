create or replace function imago.read_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  out keys text[],
  out places text[],
  out rows bigint,
  out todo text[],
  out outcome text,
  out error imago.attempt
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  context text;
begin
  select n.keys, n.places, n.rows into keys, places, rows from imago.next_rows(run, plan, lane) n;
  todo := coalesce(keys, '{}');
  -- The late pass finds most entities moved: it reads before it locks, and it tries once more those whose reason may have passed.
  if lane.pass = 'late' and run.direction = 'forward' then
    todo := imago.pending_or_unknown(plan, todo);
  end if;
  if run.direction = 'forward' and run.cohort is not null then
    todo := imago.in_cohort(plan, todo);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name) then
    select coalesce(array_agg(k order by n), '{}') into todo
    from unnest(todo) with ordinality t(k, n)
    where k not in (select imago.set_aside_keys(plan.name, run.direction, lane.pass <> 'late', plan.stage));
  end if;
exception
  when query_canceled then
    -- A size of one that does not fit cannot be made smaller: the caller has to know.
    if not imago.timed_out() or lane.batch_size = 1 then
      raise;
    end if;
    outcome := 'timeout';
  when others or assert_failure then
    get stacked diagnostics error.sqlstate = returned_sqlstate, context = pg_exception_context;
    error := imago.sort_error(error, null, context, plan.name);
    if error.outcome <> 'stop' then
      raise;
    end if;
    outcome := 'stop';
end
$$;
comment on function imago.read_lane(imago.run, imago.plan, imago.lane, out text[], out text[], out bigint, out text[], out text, out imago.attempt) is 'What a lane has next, as next_rows says it, and which of the keys are to be moved. Not those outside of the cohort that the run takes, nor those set aside; in the late pass only pending ones. Outcome timeout where looking does not fit a call; stop, with the error, where it is wrong; else null.';
