create or replace function imago.sync_not_held(sync imago.plan_sync, alias text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when sync.creates then format(
    ' and not exists (select from imago.failure f where f.plan = %L and f.stage = %s and f.kind = ''held'' and f.entity = %I.%I::text)',
    sync.plan, sync.stage, alias, sync.entity_column) else '' end
$$;
comment on function imago.sync_not_held(imago.plan_sync, text) is 'SQL: that the entity of a row is not held, where the sync would move it again.';
