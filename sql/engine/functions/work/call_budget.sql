create or replace function imago.call_budget(run_id bigint, max_ms integer)
returns integer
language sql
volatile
set search_path = ''
as $$
  select case
    -- Who starts a run keeps its row from all others until the call ends, so that call is short where others could join.
    when r.started_at >= transaction_timestamp() and exists (select from imago.lane l where l.run = run_id and l.number > 1)
    then least(max_ms, 100)
    -- Room that rows have left on their pages can be used once every transaction that began before has ended: with others at
    -- work that takes two calls.
    when imago.others_at_work(run_id) then least(max_ms, greatest(100, max_ms / 2))
    else max_ms
  end
  from imago.run r where r.id = run_id
$$;
comment on function imago.call_budget(bigint, integer) is 'The milliseconds that a call works on a run: what its caller gave, or less. Half of it while others are at work; a tenth of a second when the call has just started a run of several lanes.';
