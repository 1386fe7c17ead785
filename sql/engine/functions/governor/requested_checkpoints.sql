create or replace function imago.requested_checkpoints()
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  result bigint;
begin
  -- The view has changed its name: what is not there must not be parsed.
  if current_setting('server_version_num')::integer >= 170000 then
    execute 'select num_requested from pg_catalog.pg_stat_checkpointer' into result;
  else
    execute 'select checkpoints_req from pg_catalog.pg_stat_bgwriter' into result;
  end if;
  return result;
end
$$;
comment on function imago.requested_checkpoints() is 'Checkpoints on request since the statistics were reset.';
