create or replace function imago.has_failed_syncs(plan text, stage integer default 1)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from imago.sync_failure f where f.plan = has_failed_syncs.plan and f.stage = has_failed_syncs.stage);
end
$$;
comment on function imago.has_failed_syncs(text, integer) is 'For plans: whether last_failed_sync names anything for an entity of this stage. Asked once a statement, it saves a look for each row.

Example: select imago.has_failed_syncs(''profile_gigs'')';
