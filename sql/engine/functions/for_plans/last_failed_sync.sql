create or replace function imago.last_failed_sync(plan text, entity text)
returns text
language sql
stable
set search_path = ''
as $$
  select l.detail ->> 'relation'
  from imago.log l
  where l.plan = last_failed_sync.plan and l.entity = last_failed_sync.entity and l.event = 'sync_failed'
  order by l.id desc
  limit 1
$$;
comment on function imago.last_failed_sync(text, text) is 'For plans: the relation that the app wrote when a sync failed for this entity, last; null when none has.

Example: select imago.last_failed_sync(''profile_gigs'', ''7'')';
