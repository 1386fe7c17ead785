create or replace function imago.last_failed_sync(plan text, entity text, stage integer default 1)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again for each row of a check.
as $$
begin
  return (
    select f.relation from imago.sync_failure f
    where f.plan = last_failed_sync.plan and f.stage = last_failed_sync.stage and f.entity = last_failed_sync.entity
    order by f.id desc limit 1);
end
$$;
comment on function imago.last_failed_sync(text, text, integer) is 'For plans: the relation that the app wrote when a sync failed for this entity, last; null when none has.

Example: select imago.last_failed_sync(''profile_gigs'', ''7'')';
