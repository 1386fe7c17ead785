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
comment on function imago.has_failed_syncs(text, integer) is 'For plans: whether a sync has failed for any entity of this stage.

Example: select imago.has_failed_syncs(''profile_gigs'')';
