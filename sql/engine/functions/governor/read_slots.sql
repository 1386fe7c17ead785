create or replace function imago.read_slots()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array(
    select row('slot', s.slot_name, pg_catalog.pg_current_wal_insert_lsn() - s.restart_lsn, limits.most)::imago.measurement
    from pg_catalog.pg_get_replication_slots() s
    cross join lateral (
      -- A size of -1 is no limit.
      select coalesce(nullif(greatest(pg_catalog.pg_size_bytes(current_setting('max_slot_wal_keep_size')), 0), 0),
        1048576 * imago.setting_number('slot_mb')::bigint)::numeric as most) limits
    -- What is lost already cannot be saved; temporary slots go with their session.
    where s.restart_lsn is not null and not s.temporary and s.wal_status is distinct from 'lost');
end
$$;
comment on function imago.read_slots() is 'Signal slot: write-ahead log that each replication slot keeps, and what it may.';
