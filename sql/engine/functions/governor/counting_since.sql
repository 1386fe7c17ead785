create or replace function imago.counting_since()
returns timestamptz
language plpgsql
volatile
set search_path = ''
as $$
declare
  result constant timestamptz := greatest(
    pg_catalog.pg_postmaster_start_time(),
    -- After a crash all statistics begin again, also where the server's first process has survived.
    pg_catalog.pg_stat_get_bgwriter_stat_reset_time(),
    pg_catalog.pg_stat_get_db_stat_reset_time((select d.oid from pg_catalog.pg_database d where d.datname = current_database())));
begin
  if current_setting('server_version_num')::integer >= 170000 then
    return greatest(result, (select c.stats_reset from pg_catalog.pg_stat_checkpointer c));
  end if;
  return result;
end
$$;
comment on function imago.counting_since() is 'Since when the server has been counting without a break: it was started, has crashed, or its statistics were reset.';
