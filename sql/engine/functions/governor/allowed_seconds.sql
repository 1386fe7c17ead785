create or replace function imago.allowed_seconds(spent_until timestamptz, at timestamptz)
returns numeric
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- What was noted for later than now was noted before the clock was put back: the slot begins again.
  return case when spent_until > at + interval '1 minute' then 1 else greatest(0, least(1, extract(epoch from at - spent_until))) end;
end
$$;
comment on function imago.allowed_seconds(timestamptz, timestamptz) is 'For how many seconds a slot of imago.allowance has been filled and not spent: one at most.';
