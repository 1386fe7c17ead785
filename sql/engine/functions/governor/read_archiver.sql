create or replace function imago.read_archiver()
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array(
    select row('archiver', '', case when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then 1 else 0 end, null)::imago.measurement
    from pg_catalog.pg_stat_archiver a);
end
$$;
comment on function imago.read_archiver() is 'Signal archiver: 1 where the last attempt to archive has failed.';
