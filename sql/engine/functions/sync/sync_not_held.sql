create or replace function imago.sync_not_held(sync imago.plan_sync, alias text)
returns text
language sql
stable
set search_path = ''
as $$
  select case when sync.creates then format(
    ' and not exists (select from imago.failure f where f.plan = %1$L and f.stage = %2$s and f.kind = ''held'' and f.entity = %3$s)
      and (not exists (select from imago.cohort_taken t where t.plan = %1$L) or imago.is_taken(%1$L, %2$s, %3$s))',
    sync.plan, sync.stage, imago.sync_entity(sync, alias, sync.entity_column)) else '' end
$$;
comment on function imago.sync_not_held(imago.plan_sync, text) is 'SQL: that the entity of a row is not held, and is one that runs take, where the sync would move it.';
