create or replace function imago.work_check(item imago.validation_check, plan imago.plan, deadline timestamptz, may_step boolean)
returns imago.validation_check
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan_check imago.plan_check;
  piece record;
  counted record;
  looked jsonb;
  started timestamptz := clock_timestamp();
  piece_started timestamptz;
  took numeric;
  size integer;
  whole boolean;
  least_time constant interval := '20 ms';
  -- While others write, nobody waits for longer than a piece takes. Else for a query over the whole table, if it fits the call.
  most_ms constant numeric := case when imago.others_seen(imago.last_run(plan.name)) then imago.setting_number('hold_ms') end;
  estimated_ms numeric;
  context text;
  hint text;
  -- Kept aside and taken over as a whole: a cancel may come between any two lines.
  next imago.validation_check := item;
begin
  select c.* into strict plan_check from imago.plan_check c where c.id = item.plan_check;
  if plan_check.routine is not null then
    execute format('select %s($1)', plan_check.routine) into looked using plan;
    item.findings := looked -> 'findings';
    item.found := jsonb_array_length(item.findings);
    item.facts := coalesce(looked -> 'facts', '{}');
    item.checked := 1;
    item.done := true;
    return item;
  end if;

  loop
    piece_started := clock_timestamp();
    size := imago.walk_size(item.size, deadline - piece_started);
    -- One query over whole tables costs a tenth of its pieces, but cannot be stopped half-way: for that it may take twice the time
    -- that is left. What a piece takes at any size always fits, so that calls with hardly any time come to an end.
    estimated_ms := case when not item.in_pieces then imago.estimated_rest_ms(plan_check, item.cursor_key) end;
    whole := coalesce(
      estimated_ms * interval '1 ms' < 2 * greatest(deadline - piece_started, least_time)
        and (estimated_ms > most_ms) is not true, false);
    if not whole and not may_step and not item.in_pieces then
      return item;
    end if;
    select * into piece from imago.piece_end(plan_check, item.cursor_key, case when whole then null else size end);
    select * into counted from imago.count_piece(plan_check, item.cursor_key, piece.last_key, 10 - cardinality(item.keys), whole);
    took := extract(epoch from clock_timestamp() - piece_started) * 1000;
    next.found := next.found + counted.amount;
    next.keys := next.keys || counted.keys;
    next.facts := imago.add_counts(next.facts, counted.facts);
    next.checked := next.checked + piece.rows;
    next.cursor_key := piece.last_key;
    next.piece_ms := case when piece.rows <= 1000 then greatest(next.piece_ms, took) else next.piece_ms end;
    next.size := imago.next_walk_size(size, took, most_ms::integer);
    next.done := piece.last_key is null;
    if next.done then
      next.total := greatest(1, next.checked);
    end if;
    item := next;
    exit when item.done or clock_timestamp() >= deadline or imago.is_waited_for();
  end loop;
  return item;
exception
  when query_canceled then
    if not imago.timed_out() then
      raise;
    end if;
    if whole then
      item.in_pieces := true;
      return item;
    end if;
    -- Only what had the whole call for itself does not fit one: a single row, or all that a check looks at at once.
    if coalesce(size, 1) = 1 and coalesce(piece_started, started) < statement_timestamp() + 0.25 * current_setting('statement_timeout')::interval then
      item.error := imago.error_json('IM028', plan_check.name, plan.name, coalesce(plan_check.source, plan_check.routine));
      item.done := true;
    end if;
    item.size := imago.size_after_timeout(size);
    return item;
  when others or assert_failure then
    get stacked diagnostics context = pg_exception_context, hint = pg_exception_hint;
    item.error := imago.evaluation_error(plan_check, plan, sqlstate, context, sqlerrm, hint);
    item.done := true;
    return item;
end
$$;
comment on function imago.work_check(imago.validation_check, imago.plan, timestamptz, boolean) is 'Works on one check until it is done or the deadline has come. Looks, counts all of it at once where that fits the call, else piece after piece. may_step: a check that does not fit is begun; otherwise it is left to a call that has more time. What goes wrong is its error, not the call''s.';
