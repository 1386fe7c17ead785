create or replace function imago.read_archive()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('archive_mode') <> 'off' then
    return query
    select '', count(*)::numeric, null::numeric from pg_catalog.pg_ls_archive_statusdir() f where f.name like '%.ready';
  end if;
end
$$;
comment on function imago.read_archive() is 'Signal archive: files of write-ahead log that wait to be archived.';
