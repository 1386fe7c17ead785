create or replace function imago.call_budget(run_id bigint, max_ms integer)
returns integer
language sql
stable
set search_path = ''
as $$
  -- Who starts a run keeps its row from all others until the call ends, so that call is short where others could join.
  select case
    when r.started_at >= transaction_timestamp() and exists (select from imago.lane l where l.run = run_id and l.number > 1)
    then least(max_ms, 100)
    else max_ms
  end
  from imago.run r where r.id = run_id
$$;
comment on function imago.call_budget(bigint, integer) is 'The milliseconds that a call works on a run: what its caller gave, or a tenth of a second when the call has just started a run of several lanes.';
