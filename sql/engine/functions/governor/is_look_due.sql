create or replace function imago.is_look_due(governor imago.governor, holds_rows boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  now constant timestamptz := clock_timestamp();
  look_ms constant integer := imago.setting_number('look_ms');
begin
  if governor.looked_at is null or governor.looked_at > now or governor.looked_at <= now - make_interval(secs => look_ms / 1000.0) then
    return true;
  end if;
  -- Written so much that a slot may be near its end.
  if governor.share > 0 and pg_catalog.pg_current_wal_insert_lsn() - governor.lsn > greatest(governor.wal_room, 1048576) and governor.wal_room is not null then
    return true;
  end if;
  -- Looks between sub-batches do not ask the query of an operator.
  return not holds_rows and exists (
    select from imago.throttle t left join imago.reading r on r.plan = t.plan and r.signal = 'query' and r.name = ''
    where t.plan = governor.plan and t.throttle_query is not null and 'query' <> all (t.ignored)
      and (imago.is_reading_due(r, look_ms) or r.read_at < t.set_at));
end
$$;
comment on function imago.is_look_due(imago.governor, boolean) is 'Whether it is time to look again: look_ms have passed, or as much was written as the last look allowed.';
