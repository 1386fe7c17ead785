create or replace function imago.read_archiver()
returns table (name text, value numeric, capacity numeric)
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('archive_mode') <> 'off' then
    return query
    select '', case when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then 1 else 0 end::numeric, null::numeric
    from pg_catalog.pg_stat_archiver a;
  end if;
end
$$;
comment on function imago.read_archiver() is 'Signal archiver: 1 where the last attempt to archive has failed.';
