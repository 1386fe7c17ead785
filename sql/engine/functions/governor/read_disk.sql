create or replace function imago.read_disk()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
declare
  limit_mb constant numeric := imago.setting_size('disk_mb');
begin
  if limit_mb is not null then
    return query
    select '', (pg_catalog.pg_database_size(current_database()) + (select coalesce(sum(f.size), 0) from pg_catalog.pg_ls_waldir() f))::numeric, 1048576 * limit_mb;
  end if;
end
$$;
comment on function imago.read_disk() is 'Signal disk: bytes of database and write-ahead log, where the setting disk_mb says what there is.';
