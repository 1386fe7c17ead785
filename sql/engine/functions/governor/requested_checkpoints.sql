create or replace function imago.requested_checkpoints()
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The view has changed its name. A statement that is not reached is not looked up.
  if current_setting('server_version_num')::integer >= 170000 then
    return (select c.num_requested from pg_catalog.pg_stat_checkpointer c);
  else
    return (select b.checkpoints_req from pg_catalog.pg_stat_bgwriter b);
  end if;
end
$$;
comment on function imago.requested_checkpoints() is 'Checkpoints on request since the statistics were reset.';
