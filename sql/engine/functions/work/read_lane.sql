create or replace function imago.read_lane(
  run imago.run,
  plan imago.plan,
  lane imago.lane,
  out keys text[],
  out places text[],
  out rows bigint,
  out todo text[],
  out outcome text,
  out code text
)
language plpgsql
volatile
set search_path = ''
as $$
begin
  select n.keys, n.places, n.rows into keys, places, rows from imago.next_rows(run, plan, lane) n;
  todo := imago.movable_keys(run, plan, lane, keys);
exception
  when query_canceled then
    -- A size of one that does not fit cannot be made smaller: the caller has to know.
    if not imago.timed_out() or lane.batch_size = 1 then
      raise;
    end if;
    outcome := 'timeout';
  when syntax_error_or_access_rule_violation then
    outcome := 'stop';
    code := sqlstate;
end
$$;
comment on function imago.read_lane(imago.run, imago.plan, imago.lane, out text[], out text[], out bigint, out text[], out text, out text) is 'What a lane has next, as next_rows says it, and which of the keys are to be moved. Outcome timeout where looking does not fit a call; stop, with the SQLSTATE, where it is wrong; else null.';
