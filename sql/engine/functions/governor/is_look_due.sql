create or replace function imago.is_look_due(governor imago.governor)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return governor.looked_at is null
    or governor.looked_at <= clock_timestamp() - make_interval(secs => imago.setting_number('look_ms') / 1000.0)
    -- Written so much that a slot may be near its end.
    or governor.wal_room is not null and governor.share > 0
       and pg_catalog.pg_current_wal_insert_lsn() - governor.lsn > greatest(governor.wal_room, 1048576);
end
$$;
comment on function imago.is_look_due(imago.governor) is 'Whether it is time to look again: look_ms have passed, or as much was written as the last look allowed.';
