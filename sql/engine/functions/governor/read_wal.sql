create or replace function imago.read_wal(governor imago.governor)
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  limit_mb constant numeric := imago.setting_size('wal_mb_per_s');
begin
  if limit_mb is not null and governor.lsn is not null then
    return query
    select '', (pg_catalog.pg_current_wal_insert_lsn() - governor.lsn)
      / greatest(0.001, extract(epoch from clock_timestamp() - governor.looked_at)), 1048576 * limit_mb;
  end if;
end
$$;
comment on function imago.read_wal(imago.governor) is 'Signal wal: bytes of write-ahead log a second since the last look, where the setting wal_mb_per_s says what is fine.';
