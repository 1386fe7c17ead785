create or replace function imago.set_hours(throttle imago.throttle, hours text)
returns imago.throttle
language plpgsql
stable
set search_path = ''
as $$
declare
  parts text[] := regexp_match(hours, '^\s*((?:[01]?\d|2[0-3]):[0-5]\d)\s*-\s*((?:[01]?\d|2[0-3]):[0-5]\d|24:00)(?:\s+(\S+))?\s*$');
begin
  if hours is null then
    return throttle;
  end if;
  if hours <> '' and (parts is null or parts[1]::time = parts[2]::time
     or not exists (select from pg_catalog.pg_timezone_names z where z.name = coalesce(parts[3], 'UTC'))) then
    perform imago.raise_error('IM015', 'hours', left(hours, 60), '22:00-06:00, or 22:00-06:00 Europe/Berlin; an empty text for any time');
  end if;
  throttle.hours_from := parts[1];
  throttle.hours_to := parts[2];
  throttle.time_zone := case when hours <> '' then coalesce(parts[3], 'UTC') end;
  return throttle;
end
$$;
comment on function imago.set_hours(imago.throttle, text) is 'Reads hours as 22:00-06:00 Europe/Berlin; null leaves them, an empty text takes them back (IM015).';
