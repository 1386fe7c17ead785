create or replace function imago.call_budget(run imago.run, max_ms integer, others_write boolean)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case
    -- A cold session, or an entity with many rows, takes far longer than the last ones did.
    when others_write then least(max_ms, greatest(1, imago.setting_number('hold_ms') / 3))
    when others_write is null and imago.setting_number('notice_ms') > 0 then least(max_ms, imago.setting_number('hold_ms'))
    -- Who starts a run keeps its row from all others until the call ends, so that call is short where others could join.
    when run.started_at >= transaction_timestamp() and exists (select from imago.lane l where l.run = run.id and l.number > 1)
    then least(max_ms, 100)
    -- Room that rows have left on their pages can be used once every transaction that began before has ended: with others at
    -- work that takes two calls.
    when imago.others_at_work(run.id) then least(max_ms, greatest(100, max_ms / 2))
    else max_ms
  end;
end
$$;
comment on function imago.call_budget(imago.run, integer, boolean) is 'The milliseconds that a call works on a run: what its caller gave, or less. A third of hold_ms while others write its tables, hold_ms while that is not known; half of max_ms while other callers are at work; a tenth of a second when the call has just started a run of several lanes.';
