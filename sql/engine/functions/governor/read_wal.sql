create or replace function imago.read_wal(governor imago.governor)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  if governor.lsn is null then
    return '{}';
  end if;
  return array[row('wal', '',
    (pg_catalog.pg_current_wal_insert_lsn() - governor.lsn) / greatest(0.001, extract(epoch from clock_timestamp() - governor.looked_at)),
    1048576 * imago.setting_size('wal_mb_per_s'))::imago.measurement];
end
$$;
comment on function imago.read_wal(imago.governor) is 'Signal wal: bytes of write-ahead log a second since the last look, of what the setting wal_mb_per_s says.';
