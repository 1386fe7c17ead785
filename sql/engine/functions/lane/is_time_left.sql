create or replace function imago.is_time_left(began timestamptz, deadline timestamptz)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What a sub-batch costs at any size would be paid for little: the next call does the rest as well.
  return clock_timestamp() + least(interval '50 ms', (clock_timestamp() - began) / 2) < deadline;
end
$$;
comment on function imago.is_time_left(timestamptz, timestamptz) is 'Whether another sub-batch is worth beginning before a call is to end, given when the last one, or the call, began.';
