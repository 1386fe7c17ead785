create or replace function imago.fix_check(
  run imago.run,
  plan imago.plan,
  item imago.validation_check,
  dry_run boolean,
  deadline timestamptz,
  attempts_left integer,
  out result imago.validation_check,
  out outcome text,
  out attempts integer
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan_check imago.plan_check;
  step record;
  size integer;
  context text;
  hint text;
begin
  select c.* into strict plan_check from imago.plan_check c where c.id = item.plan_check;
  plan := imago.plan_at_stage(plan, plan_check.stage);
  result := item;
  outcome := 'done';
  attempts := 0;
  while not result.done loop
    if attempts > 0 and (attempts >= attempts_left or clock_timestamp() >= deadline) then
      outcome := 'time';
      return;
    end if;
    size := imago.walk_size(result.size, deadline - clock_timestamp());
    begin
      -- A step is taken over as a whole, with what it has written, or not at all.
      select * into step from imago.fix_piece(run, plan, plan_check, result, size, dry_run, deadline, attempts_left - attempts);
      result := step.result;
      outcome := step.outcome;
      attempts := attempts + step.attempts + 1;
    exception
      when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
        result.size := imago.size_after_timeout(size);
        outcome := 'time';
      when others or assert_failure then
        get stacked diagnostics context = pg_exception_context, hint = pg_exception_hint;
        result.error := imago.evaluation_error(plan_check, plan, sqlstate, context, sqlerrm, hint);
        result.done := true;
    end;
    if outcome <> 'done' then
      return;
    end if;
  end loop;
end
$$;
comment on function imago.fix_check(imago.run, imago.plan, imago.validation_check, boolean, timestamptz, integer, out imago.validation_check, out text, out integer) is 'The second walk of one check, piece after piece until its end or that of the call''s budget (outcome time or deferred).';
