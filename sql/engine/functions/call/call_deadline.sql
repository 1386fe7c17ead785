create or replace function imago.call_deadline(max_ms integer)
returns timestamptz
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
declare
  timeout constant interval := current_setting('statement_timeout')::interval;
begin
  -- Past 70 % of the caller's statement timeout no new sub-batch begins: the timeout may also fall where nobody can catch it.
  return least(
    clock_timestamp() + make_interval(secs => max_ms / 1000.0),
    case when timeout > interval '0' then statement_timestamp() + 0.7 * timeout end);
end
$$;
comment on function imago.call_deadline(integer) is 'When a call stops beginning work: its time budget, cut to fit the caller''s statement timeout.';
