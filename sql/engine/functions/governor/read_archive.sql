create or replace function imago.read_archive()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array(
    select row('archive', '', count(*), null)::imago.measurement from pg_catalog.pg_ls_archive_statusdir() f where f.name like '%.ready');
end
$$;
comment on function imago.read_archive() is 'Signal archive: files of write-ahead log that wait to be archived.';
