create or replace function imago.read_disk()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array[row('disk', '',
    pg_catalog.pg_database_size(current_database()) + (select coalesce(sum(f.size), 0) from pg_catalog.pg_ls_waldir() f),
    1048576 * imago.setting_size('disk_mb'))::imago.measurement];
end
$$;
comment on function imago.read_disk() is 'Signal disk: bytes of database and write-ahead log, of what the setting disk_mb says.';
