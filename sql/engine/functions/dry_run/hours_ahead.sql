create or replace function imago.hours_ahead(throttle imago.throttle, seconds numeric, at timestamptz, out windows integer, out ends_at timestamptz)
language plpgsql
immutable
set search_path = ''
as $$
declare
  length constant numeric := imago.hours_seconds(throttle);
  clock constant timestamp := at at time zone throttle.time_zone;
  opened timestamp := clock::date + throttle.hours_from;
  rest numeric := seconds;
begin
  if length is null then
    ends_at := at + make_interval(secs => seconds);
    return;
  end if;
  -- The window that is open, or else the next one; of an open one only the remaining part.
  if imago.is_open(throttle, at) then
    opened := case when opened > clock then opened - interval '1 day' else opened end;
    rest := seconds + extract(epoch from clock - opened);
  elsif opened <= clock then
    opened := opened + interval '1 day';
  end if;
  windows := greatest(1, ceil(rest / length));
  ends_at := (opened + make_interval(days => windows - 1, secs => rest - (windows - 1) * length)) at time zone throttle.time_zone;
end
$$;
comment on function imago.hours_ahead(imago.throttle, numeric, timestamptz, out integer, out timestamptz) is 'In how many windows of its hours a run of so many seconds works, and when it ends.';
